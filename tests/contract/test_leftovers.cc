#include <algorithm>

#include "contract/contract_test.h"
#include "contract/resources.h"

namespace duet::contract {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StrEq;

/// What may come and go: a descriptor that is kept for later, a hash table that grows once.
constexpr std::size_t kDescriptors = 4;
constexpr std::size_t kHeapBytes = 32u << 10;

/// So long a transport may wait for somebody before it gives up on them and lets go.
constexpr std::uint64_t kAfterwards = 15 * kSecond;

/// What is held after some work that was not held before.
class Growth {
 public:
  Growth() : descriptors_(open_descriptors()), heap_(heap_in_use()) {}
  /// Polls the endpoints, if there are any left, until nothing is.
  void expect_none(int times, const std::vector<Endpoint*>& endpoints = {}) const {
    if (!endpoints.empty()) {
      turn(
          endpoints, [&] { return none(); }, kAfterwards);
    }
    EXPECT_LE(open_descriptors(), descriptors_ + kDescriptors) << "open after " << times << " times";
    EXPECT_LE(heap_in_use(), heap_ + kHeapBytes) << "bytes of memory after " << times << " times";
  }

 private:
  bool none() const {
    return open_descriptors() <= descriptors_ + kDescriptors && heap_in_use() <= heap_ + kHeapBytes;
  }
  std::size_t descriptors_;
  std::size_t heap_;
};

class Leftovers : public ContractTest {};

TEST_P(Leftovers, NoneOfAProbe) {
  holds_to({"PROBE-1", "PROBE-2", "PROBE-4"});
  const duet_probe_result first = probe();
  const auto& memory = GetParam().memory;
  EXPECT_NE(first.capabilities &
                (memory == nullptr ? std::uint64_t{DUET_CAPABILITY_HOST_MEMORY} : memory->capability()),
            0u);
  EXPECT_THAT(std::string(first.reason), Not(StrEq(""))) << "say what would be used";
  if (first.largest_message != 0) {
    EXPECT_GE(first.largest_message, 1u << 21);
  }
  const Growth growth;
  for (int i = 0; i < 20; ++i) {
    const duet_probe_result again = probe();
    EXPECT_EQ(again.capabilities, first.capabilities);
    EXPECT_EQ(again.largest_message, first.largest_message);
  }
  growth.expect_none(20);
}

TEST_P(Leftovers, NoneOfAnUnknownSetting) {
  holds_to({"PROBE-3", "ERR-3"});
  auto settings = GetParam().settings;
  settings.emplace_back("no_such_setting", "1");
  const auto c_settings = to_c(settings);
  const auto count = static_cast<std::uint32_t>(c_settings.size());
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  EXPECT_EQ(Status(table_.probe(c_settings.data(), count, &result)), DUET_MISUSE);
  EXPECT_THAT(std::string(result.reason), HasSubstr("no_such_setting"));
  duet_context* context = nullptr;
  duet_error error{};
  EXPECT_EQ(Status(table_.open_context(c_settings.data(), count, &context, &error)), DUET_MISUSE);
  EXPECT_EQ(Status(error.status), DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), HasSubstr("no_such_setting"));
}

TEST_P(Leftovers, NoneOfManyConnections) {
  holds_to({"CONN-7"});
  const auto a = endpoint(), b = endpoint();
  const auto once = [&](std::uint64_t session) {
    duet_connection* const ab = a->connect(*b, session);
    duet_connection* const ba = b->accept(session);
    const std::uint64_t out = session;
    std::uint64_t back = 0;
    a->send(ab, &out, sizeof(out), in(kPatience));
    b->receive(ba, &back, sizeof(back), in(kPatience));
    ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
    ASSERT_EQ(back, session);
    a->close(ab);
    b->close(ba);
    a->forget();
    b->forget();
  };
  // The first ones may make what is then kept.
  const int warm = 200, times = count(1000, 10'000);
  for (int session = 1; session <= warm; ++session)
    ASSERT_NO_FATAL_FAILURE(once(session));
  idle({a.get(), b.get()}, 20 * kMillisecond);
  const Growth growth;
  for (int session = warm + 1; session <= warm + times; ++session)
    ASSERT_NO_FATAL_FAILURE(once(session));
  growth.expect_none(times, {a.get(), b.get()});
}

TEST_P(Leftovers, NoneOfConnectionsThatNeverCameAbout) {
  holds_to({"CONN-7", "TIME-2"});
  const auto a = endpoint(), b = endpoint();
  char byte = 0;
  const auto once = [&](std::uint64_t session) {
    // Nobody accepts the one, nobody connects for the other; some are closed before their time.
    duet_connection* const connecting = a->connect(*b, 2 * session, in(2 * kMillisecond));
    duet_connection* const accepting = b->accept(2 * session + 1, in(2 * kMillisecond));
    a->receive(connecting, &byte, 1);
    b->receive(accepting, &byte, 1);
    if (session % 3 != 0) {
      ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
    }
    a->close(connecting);
    b->close(accepting);
    ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
    a->forget();
    b->forget();
  };
  // A transport may keep what unused tickets cost, up to a bound: NCCL's has 64 unique ids, each a socket.
  const int warm = 100, times = count(200, 2000);
  for (int session = 1; session <= warm; ++session)
    ASSERT_NO_FATAL_FAILURE(once(session));
  idle({a.get(), b.get()}, 20 * kMillisecond);
  const Growth growth;
  for (int session = warm + 1; session <= warm + times; ++session)
    ASSERT_NO_FATAL_FAILURE(once(session));
  growth.expect_none(times, {a.get(), b.get()});
}

TEST_P(Leftovers, NoneOfContexts) {
  holds_to({"CTX-3", "CTX-2"});
  const auto once = [&](std::uint64_t session) {
    Pair pair = joined(session);
    char byte = 1;
    // Something is in flight, and something not yet polled, when they go.
    pair.b->receive(pair.ba, &byte, 1);
    pair.a->receive(pair.ab, &byte, 1);
    pair.a->close(pair.ab);
  };
  const int warm = 5, times = count(30, 300);
  for (int session = 1; session <= warm; ++session)
    once(session);
  const Growth growth;
  for (int session = warm + 1; session <= warm + times; ++session)
    once(session);
  growth.expect_none(times);
}

DUET_CONTRACT_SUITE(Leftovers);

}  // namespace
}  // namespace duet::contract
