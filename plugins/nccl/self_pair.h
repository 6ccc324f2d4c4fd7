#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "bytes.h"
#include "communicator.h"
#include "link.h"

namespace duet::nccl {

/// What the two ends of a pair in one process and on one GPU share: NCCL refuses two ranks on one device, so
/// there is one communicator of a single rank that sends to itself, and the leader launches both ends'
/// operations. The other end leaves its memory here before it announces it. Thread-safe.
class SelfPair {
 public:
  /// The pair of this ticket's secret; made by whoever comes first, gone with its last end.
  static std::shared_ptr<SelfPair> of(const Id128& secret);

  /// The follower's, before it is announced.
  void deposit(const Link::Piece& piece);
  /// The follower's again, if the leader has not launched it.
  bool recall(bool send, std::uint64_t index);
  /// The leader's group with its counterparts, each send beside its receive, which is how NCCL matches them.
  /// Nothing when a counterpart was recalled.
  std::optional<std::vector<Communicator::Piece>> complete(const std::vector<Link::Piece>& pieces);

  void set_communicator(std::shared_ptr<Communicator> communicator);
  std::shared_ptr<Communicator> communicator() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, void*> sends_, receives_;  ///< the follower's, by index, not yet launched
  std::shared_ptr<Communicator> communicator_;
};

}  // namespace duet::nccl
