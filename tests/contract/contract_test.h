#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "contract/endpoint.h"
#include "contract/rules.h"
#include "contract/sources.h"

namespace duet::contract {

/// What every connection has room for in each direction (OP-10): no test but those of the room itself has
/// more in flight.
inline constexpr std::size_t kRoom = 8;

/// A test of the suite: a transport, and two endpoints that are joined.
class ContractTest : public ::testing::TestWithParam<Source> {
 protected:
  ContractTest() : transport_(GetParam().load()), table_(transport_->table()) {}

  std::unique_ptr<Endpoint> endpoint();  ///< from any thread
  duet_probe_result probe();
  /// That many bytes, or as many as a message may have.
  std::size_t up_to(std::size_t bytes);
  bool exact_size() { return (probe().capabilities & DUET_CAPABILITY_EXACT_SIZE) != 0; }

  struct Pair {
    std::unique_ptr<Endpoint> a, b;
    duet_connection* ab = nullptr;  ///< a's handle; a connected
    duet_connection* ba = nullptr;
    std::vector<Endpoint*> both() const { return {a.get(), b.get()}; }
    bool turn(const std::function<bool()>& done, std::uint64_t limit = kPatience) const {
      return contract::turn(both(), done, limit);
    }
    void idle(std::uint64_t nanoseconds) const { contract::idle(both(), nanoseconds); }
    bool finish() const {
      return turn([this] { return a->in_flight() + b->in_flight() == 0; });
    }
  };
  /// Two endpoints, and a connection of them that is ready.
  Pair joined(std::uint64_t session = 1);
  void join(Pair& pair, std::uint64_t session);

  std::shared_ptr<const transport::Transport> transport_;
  const duet_transport& table_;
  std::atomic<int> endpoints_made_{0};
};

/// A peer that went away is seen, or runs into the deadline.
inline bool is_loss(duet_status status) {
  return status == DUET_PEER_LOST || status == DUET_TIMED_OUT;
}

/// How many: what fits into a short run, or with DUET_TEST_FULL all of it.
int count(int quick, int full);

/// The suite's tests for every transport.
#define DUET_CONTRACT_SUITE(Suite)                                                \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Suite);                           \
  INSTANTIATE_TEST_SUITE_P(Transports, Suite, ::testing::ValuesIn(all_sources()), \
                           [](const auto& tested) { return tested.param.name; })

}  // namespace duet::contract
