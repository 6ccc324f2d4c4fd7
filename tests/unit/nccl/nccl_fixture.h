#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "contract/endpoint.h"
#include "support/fake_nccl/script.h"

namespace duet::nccl {

using contract::Endpoint;
using contract::in;
using contract::kMillisecond;
using contract::kPatience;
using contract::kSecond;
using transport::now_ns;

/// The real plugin on fake libraries, whose behaviour the test scripts. Whatever the test does: when it is
/// over nothing is left on the device, nothing was launched without its counterpart, and nothing was asked of
/// NCCL that it would refuse.
class NcclFixture : public ::testing::Test {
 protected:
  NcclFixture();
  void TearDown() override;

  /// settings: "key=value" over those that name the fakes.
  std::unique_ptr<Endpoint> endpoint(int device, const transport::Settings& settings = {});
  contract::Source source(int device, const transport::Settings& settings = {}) const;
  const duet_transport& table() const { return transport_->table(); }

  /// Two contexts, joined by a connection that is ready. devices: 0 and 1, or the same for a pair that sends
  /// to itself.
  struct Pair {
    std::unique_ptr<Endpoint> a, b;
    duet_connection* ab = nullptr;
    duet_connection* ba = nullptr;
    bool turn(const std::function<bool()>& done, std::uint64_t limit = kPatience) const {
      std::vector<Endpoint*> both;
      for (const auto& each : {a.get(), b.get()})
        if (each != nullptr) both.push_back(each);
      return contract::turn(both, done, limit);
    }
  };
  Pair pair(bool same_gpu, const transport::Settings& settings = {}) {
    return {endpoint(0, settings), endpoint(same_gpu ? 0 : 1, settings)};
  }
  /// Throws when it does not become ready.
  void join(Pair& pair, std::uint64_t session);
  /// One message each way; whether both arrived.
  bool exchange(Pair& pair, duet_connection* ab, duet_connection* ba, std::size_t bytes = 1000);

  std::string error_of(Endpoint& end, duet_connection* connection, duet_status* status = nullptr);

  std::shared_ptr<const transport::Transport> transport_;
};

/// Waits, without polling anything.
bool eventually(const std::function<bool()>& done, std::uint64_t limit = kPatience);

}  // namespace duet::nccl
