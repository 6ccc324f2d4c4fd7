#include "run_views.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>
#include <tuple>

namespace duet::observer {
namespace {

template <typename Value>
void add(XXH3_state_t& state, const Value& value) {
  XXH3_64bits_update(&state, &value, sizeof value);
}

void add(XXH3_state_t& state, const std::string& text) {
  add(state, text.size());
  XXH3_64bits_update(&state, text.data(), text.size());
}

// Of what all workers of a run should say alike.
std::uint64_t digest(const telemetry::FrameHeader& header) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  add(state, header.epoch);
  for (const std::string* text : {&header.algorithm, &header.graph, &header.transport, &header.clock,
                                  &header.pairing, &header.wire_type})
    add(state, *text);
  for (const double value : {header.rate, header.chi1, header.chi2, header.eta, header.alpha,
                             header.alpha_tilde, header.tick_interval})
    add(state, value);
  for (const telemetry::GraphEdge& edge : header.edges) {
    add(state, edge.a);
    add(state, edge.b);
    add(state, edge.rate);
  }
  return XXH3_64bits_digest(&state);
}

}  // namespace

void RunViews::say(int rank, const telemetry::FrameHeader& header) {
  const std::uint64_t key = digest(header);
  const auto said = said_.find(rank);
  if (said != said_.end() && said->second == key) return;
  if (said != said_.end()) --views_.at(said->second).count;
  said_[rank] = key;
  View& view = views_[key];
  if (view.count++ == 0) view.header = header;
  choose();
}

void RunViews::forget(int rank) {
  const auto said = said_.find(rank);
  if (said == said_.end()) return;
  --views_.at(said->second).count;
  said_.erase(said);
  choose();
}

void RunViews::choose() {
  std::optional<std::uint64_t> best;
  std::tuple<int, std::uint64_t> rank_of_best;
  for (const auto& [key, view] : views_) {
    const std::tuple<int, std::uint64_t> rank(view.count, view.header.epoch);
    if (best && rank <= rank_of_best) continue;
    best = key;
    rank_of_best = rank;
  }
  // The last view stands even when nobody is left who says it.
  const bool nobody = std::get<0>(rank_of_best) == 0;
  if (nobody && stands_ && views_.contains(*stands_)) best = stands_;
  std::erase_if(views_, [&](const auto& each) { return each.second.count == 0 && each.first != best; });
  if (best != stands_) ++version_;
  stands_ = best;
}

void RunViews::clear() {
  views_.clear();
  said_.clear();
  stands_.reset();
  ++version_;
}

const telemetry::FrameHeader* RunViews::header() const {
  return stands_ ? &views_.at(*stands_).header : nullptr;
}

}  // namespace duet::observer
