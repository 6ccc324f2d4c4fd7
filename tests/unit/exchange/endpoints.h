#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "exchange/meeting.h"
#include "exchange/replica.h"
#include "exchange/staging.h"
#include "transport/transport.h"

/// What the exchange's tests share: workers without the worker, over the transport that DUET_TEST_TRANSPORT
/// names.
namespace duet::exchange::test {

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline std::uint64_t deadline_in(double from_now) {
  return transport::now_ns() + static_cast<std::uint64_t>(from_now * 1e9);
}

inline bool full_counts() {
  return std::getenv("DUET_TEST_FULL") != nullptr;
}

/// A fresh context of the transport under test.
inline std::unique_ptr<transport::Context> open_context(const std::string& faults = {}) {
  const char* named = std::getenv("DUET_TEST_TRANSPORT");
  const auto choice = transport::parse_choice(named == nullptr ? "inproc" : named);
  return std::make_unique<transport::Context>(transport::load_transport(choice.name, {}, faults),
                                              choice.settings);
}

/// A connection between two contexts, ready on both ends (a peer that goes before that is noticed late by
/// some transports). Nobody else may poll them meanwhile.
inline std::pair<std::unique_ptr<transport::Connection>, std::unique_ptr<transport::Connection>> connect(
    transport::Context& one, const std::string& name_of_one, transport::Context& other,
    const std::string& name_of_other) {
  static std::atomic<std::uint64_t> session{1};
  const std::uint64_t named = session++;
  auto accepted = other.accept(name_of_one, named, deadline_in(20));
  auto connected = one.connect(name_of_other, named, other.address(), deadline_in(20));
  const auto pending = [](transport::Connection& connection) {
    return connection.state() == transport::Connection::State::kPending;
  };
  while (pending(*connected) || pending(*accepted)) {
    one.poll(0);
    other.poll(0);
  }
  return {std::move(connected), std::move(accepted)};
}

/// Parameters, their replica and an endpoint.
struct Worker {
  Worker(const std::vector<std::size_t>& counts, bool momentum, std::size_t block_bytes, unsigned seed,
         int depth = 4, DType wire = DType::kFloat32, const std::string& faults = {})
      : context(open_context(faults)) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<Buffer> buffers;
    for (const std::size_t count : counts) {
      parameters.emplace_back(count);
      for (float& value : parameters.back())
        value = normal(random);
      buffers.push_back({parameters.back().data(), count, DType::kFloat32, "", ""});
    }
    replica = std::make_unique<Replica>(std::move(buffers), momentum, block_bytes);
    for (std::size_t k = 0; k < replica->block_count(); ++k) {
      const Block& block = replica->block(k);
      for (std::size_t i = 0; i < block.count; ++i) {
        block.d[i] = 0.1F * normal(random);
        if (block.z != nullptr) block.z[i] = normal(random);
      }
    }
    replica->set_pending();
    staging = make_staging(*replica, wire, depth);
  }

  /// Calls visit(x, d, z) for every element, z = 0 without momentum.
  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::size_t k = 0; k < replica->block_count(); ++k) {
      const Block& block = replica->block(k);
      for (std::size_t i = 0; i < block.count; ++i) {
        visit(block.floats()[i], block.d[i], block.z == nullptr ? 0.0F : block.z[i]);
      }
    }
  }

  std::vector<double> invariant() const {
    std::vector<double> sum;
    each([&](float x, float d, float z) { sum.push_back(double{x} + double{d} + 0.5 * double{z}); });
    return sum;
  }

  std::vector<std::vector<float>> parameters;
  std::unique_ptr<Replica> replica;
  std::unique_ptr<transport::Context> context;
  std::shared_ptr<Staging> staging;
};

/// d = z = 0.
inline void clear_corrections(Replica& replica) {
  for (std::size_t k = 0; k < replica.block_count(); ++k) {
    const Block& block = replica.block(k);
    std::fill_n(block.d, block.count, 0.0F);
    if (block.z != nullptr) std::fill_n(block.z, block.count, 0.0F);
  }
  replica.clear_pending();
}

/// One block's x, d and z at one moment.
struct Snapshot {
  std::vector<float> x, d, z;
  explicit Snapshot(const Block& block)
      : x(block.floats(), block.floats() + block.count), d(block.d, block.d + block.count) {
    if (block.z != nullptr) z.assign(block.z, block.z + block.count);
  }
  bool operator==(const Snapshot&) const = default;
};

inline std::vector<Snapshot> snapshots(const Replica& replica) {
  std::vector<Snapshot> all;
  for (std::size_t k = 0; k < replica.block_count(); ++k)
    all.emplace_back(replica.block(k));
  return all;
}

/// Polls all contexts in turn and calls `turn` until it says true. False: not within `limit` seconds.
inline bool drive(const std::vector<transport::Context*>& contexts, const std::function<bool()>& turn,
                  double limit = 30.0) {
  for (const double end = seconds() + limit; seconds() < end;) {
    for (transport::Context* context : contexts)
      context->poll(0);
    if (turn()) return true;
  }
  return false;
}

inline MeetingPlan plan(std::uint64_t meeting, double c, double alpha_tilde_minus_alpha,
                        double timeout = 20.0) {
  MeetingPlan made;
  made.meeting = meeting;
  made.token = meeting * 0x9E3779B97F4A7C15ULL + 7;
  made.coefficients.c = c;
  made.coefficients.alpha = 0.5;
  made.coefficients.alpha_tilde_minus_alpha = alpha_tilde_minus_alpha;
  made.timeout = timeout;
  return made;
}

}  // namespace duet::exchange::test
