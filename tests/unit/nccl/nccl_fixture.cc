#include "nccl_fixture.h"

#include <stdexcept>
#include <thread>

namespace duet::nccl {

NcclFixture::NcclFixture() : transport_(transport::load_transport(DUET_NCCL_PLUGIN, {})) {
  fake_nccl_reset();
}

void NcclFixture::TearDown() {
  // Aborts run in threads of their own.
  EXPECT_TRUE(eventually([] { return fake_nccl_count("communicators") == 0; }))
      << fake_nccl_count("communicators") << " communicators are left";
  EXPECT_TRUE(eventually([] { return fake_nccl_count("streams") == 0 && fake_nccl_count("contexts") == 0; }));
  EXPECT_EQ(fake_nccl_count("events"), 0);
  EXPECT_EQ(fake_nccl_count("misuses"), 0) << "NCCL or CUDA was called in a way that it refuses";
  EXPECT_EQ(fake_nccl_count("mismatches"), 0) << "something was launched whose counterpart was another";
}

contract::Source NcclFixture::source(int device, const transport::Settings& settings) const {
  contract::Source source;
  source.settings = {{"library", DUET_FAKE_NCCL}, {"cuda_library", DUET_FAKE_NCCL}};
  source.settings.emplace_back("device", std::to_string(device));
  source.settings.insert(source.settings.end(), settings.begin(), settings.end());
  source.memory = contract::cuda_memory(DUET_FAKE_NCCL);
  source.device = device;
  return source;
}

std::unique_ptr<Endpoint> NcclFixture::endpoint(int device, const transport::Settings& settings) {
  return std::make_unique<Endpoint>(table(), source(device, settings));
}

void NcclFixture::join(Pair& pair, std::uint64_t session) {
  pair.ab = pair.a->connect(pair.b->address(), session);
  pair.ba = pair.b->accept(session);
  const bool ready = pair.turn([&] {
    return pair.a->state(pair.ab) == DUET_CONNECTION_READY && pair.b->state(pair.ba) == DUET_CONNECTION_READY;
  });
  if (!ready) throw std::runtime_error("the connection did not become ready");
}

bool NcclFixture::exchange(Pair& pair, duet_connection* ab, duet_connection* ba, std::size_t bytes) {
  const auto out = contract::pattern(bytes, 1), home = contract::pattern(bytes, 2);
  std::vector<unsigned char> at_a(bytes), at_b(bytes);
  // Receive before send on both sides.
  pair.a->receive(ab, at_a.data(), bytes, in(kPatience));
  pair.b->receive(ba, at_b.data(), bytes, in(kPatience));
  pair.a->send(ab, out.data(), bytes, in(kPatience));
  pair.b->send(ba, home.data(), bytes, in(kPatience));
  return pair.turn([&] { return pair.a->in_flight() + pair.b->in_flight() == 0; }) && at_a == home &&
         at_b == out;
}

std::string NcclFixture::error_of(Endpoint& end, duet_connection* connection, duet_status* status) {
  duet_error error{};
  end.state(connection, &error);
  if (status != nullptr) *status = error.status;
  return error.text;
}

bool eventually(const std::function<bool()>& done, std::uint64_t limit) {
  const std::uint64_t give_up = in(limit);
  while (!done()) {
    if (now_ns() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace duet::nccl
