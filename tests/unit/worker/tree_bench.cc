#include "unit/worker/tree_bench.h"

#include <map>

namespace duet::worker::test {
namespace {

/// A C table has no place for an object of ours.
struct Recorder {
  std::shared_ptr<const transport::Transport> inner;
  duet_transport table{};
  std::map<std::pair<duet_context*, std::uint64_t>, int> uses;
};
Recorder recorder;

duet_status recorded_connect(duet_context* context, const duet_connect_request* request,
                             duet_connection** connection, duet_error* error) {
  ++recorder.uses[{context, request->session}];
  return recorder.inner->table().connect(context, request, connection, error);
}

duet_status recorded_accept(duet_context* context, const duet_connect_request* request,
                            duet_connection** connection, duet_error* error) {
  ++recorder.uses[{context, request->session}];
  return recorder.inner->table().accept(context, request, connection, error);
}

}  // namespace

std::shared_ptr<const transport::Transport> recording_transport(const std::string& faults) {
  recorder.inner = transport::load_transport("inproc", {}, faults);
  recorder.table = recorder.inner->table();
  recorder.table.connect = recorded_connect;
  recorder.table.accept = recorded_accept;
  recorder.uses.clear();
  return std::make_shared<const transport::Transport>(&recorder.table, "the bench's");
}

int repeated_sessions() {
  int repeated = 0;
  for (const auto& [session, uses] : recorder.uses)
    repeated += uses > 1 ? 1 : 0;
  return repeated;
}

control::Channel& idle_channel() {
  static control::Channel channel{control::ChannelOptions{}};
  return channel;
}

}  // namespace duet::worker::test
