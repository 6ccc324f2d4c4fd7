#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "exchange/pass_memory.h"
#include "transport/transport.h"

namespace duet::exchange {

/// One direction of one connection of a tree: block after block, a few under way at a time, finished in
/// order.
class Lane {
 public:
  struct Operation {
    bool ended = false;
    duet_status status = DUET_OK;
    std::uint64_t bytes = 0;
  };

  Lane(transport::Connection& connection, bool sends) : connection_(&connection), sends_(sends) {}

  transport::Connection& connection() const { return *connection_; }
  std::size_t posted() const { return posted_; }
  std::size_t finished() const { return finished_; }
  bool room() const { return posted_ - finished_ < PassMemory::kInFlight; }

  /// `owner` owns this lane and the memory; completions in flight keep it alive. False: no room now.
  bool post(const std::shared_ptr<void>& owner, std::byte* memory, std::uint64_t bytes,
            std::uint64_t deadline_ns) {
    Operation& operation = operations_[posted_ % operations_.size()];
    auto done = [kept = std::shared_ptr<Operation>(owner, &operation)](duet_status status,
                                                                       std::uint64_t moved) {
      *kept = {true, status, moved};
    };
    operation = {};
    const bool accepted = sends_ ? connection_->send(memory, bytes, deadline_ns, std::move(done))
                                 : connection_->receive(memory, bytes, deadline_ns, std::move(done));
    if (accepted) ++posted_;
    return accepted;
  }

  /// The operation of block finished(), if it has ended.
  const Operation* ended() const {
    if (finished_ == posted_) return nullptr;
    const Operation& operation = operations_[finished_ % operations_.size()];
    return operation.ended ? &operation : nullptr;
  }
  void finish() { ++finished_; }

 private:
  transport::Connection* connection_;
  bool sends_;
  std::size_t posted_ = 0;
  std::size_t finished_ = 0;
  std::array<Operation, PassMemory::kInFlight> operations_;
};

}  // namespace duet::exchange
