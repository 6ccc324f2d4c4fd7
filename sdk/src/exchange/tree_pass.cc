#include "exchange/tree_pass.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "duet/error.h"
#include "dynamics/passes.h"
#include "exchange/block_header.h"
#include "exchange/lane.h"
#include "exchange/pass_memory.h"
#include "exchange/status_text.h"
#include "exchange/tree_blocks.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

/// Blocks of tree passes are not secret (the control channel agrees on the attempt); this keeps them apart
/// from others.
constexpr std::uint64_t kTreeToken = 0x9E3779B97F4A7C15;

/// Operations end with their connection, which the owner closes after a broken pass. For one who does not:
/// after so many times the pass's own timeout.
constexpr double kBackstop = 16.0;

std::shared_ptr<PassMemory> memory_for(Replica& replica, std::size_t children) {
  std::shared_ptr<PassMemory>& kept = replica.pass_memory();
  if (kept == nullptr) {
    kept = std::make_shared<PassMemory>(replica);
  } else if (kept.use_count() > 1) {
    // Operations of a broken pass are still in flight in it.
    auto fresh = std::make_shared<PassMemory>(replica);
    fresh->set_members_of_result(kept->members_of_result());
    kept = std::move(fresh);
  }
  kept->provide_for(children);
  return kept;
}

TreeBlocks::Take what_to_take(TreeOperation operation, bool has_result) {
  if (operation == TreeOperation::kBroadcast) return TreeBlocks::Take::kParameters;
  return has_result ? TreeBlocks::Take::kResult : TreeBlocks::Take::kInvariant;
}

}  // namespace

class TreePass::Impl : public std::enable_shared_from_this<TreePass::Impl> {
 public:
  Impl(Replica& replica, const TreeLinks& links, TreeOperation operation, std::uint64_t attempt,
       bool has_result, double timeout, double now)
      : replica_(replica),
        operation_(operation),
        attempt_(attempt),
        has_result_(has_result),
        timeout_(timeout),
        last_progress_(now),
        blocks_(replica.block_count()),
        memory_(memory_for(replica, links.children.size())),
        own_(replica, *memory_, what_to_take(operation, has_result)) {
    if (links.parent != nullptr) parent_.emplace(*links.parent);
    children_.reserve(links.children.size());
    for (transport::Connection* child : links.children)
      children_.emplace_back(*child);
  }

  bool advance(double now) {
    if (over_) return true;
    bool moved = false;
    device_busy_ = false;
    while (!committing_ && error_.empty() && step())
      moved = true;
    if (!error_.empty()) {
      over_ = true;
    } else if (done()) {
      commit(now);
    } else if (moved) {
      last_progress_ = now;
    } else if (now - last_progress_ > timeout_) {
      fail(fmt::format("no progress for {:g} s; {}", timeout_, awaited()));
      over_ = true;
    }
    return over_;
  }

  bool complete() const { return complete_; }
  const std::string& error() const { return error_; }
  int members() const { return static_cast<int>(members_); }
  double squared_distance() const { return own_.squared_distance(); }
  bool device_busy() const { return device_busy_; }

 private:
  struct Child {
    explicit Child(transport::Connection& connection) : up(connection, false), down(connection, true) {}
    Lane up;
    Lane down;
    BlockHeader first;  // of its sums: the others must say the same
    BlockHeader found;
  };
  struct Parent {
    explicit Parent(transport::Connection& connection) : up(connection, true), down(connection, false) {}
    Lane up;
    Lane down;
    BlockHeader first;
  };

  std::uint64_t wire_bytes(std::size_t k) const {
    return kBlockHeaderBytes + replica_.block(k).count * sizeof(float);
  }
  std::uint64_t backstop() const {
    return transport::now_ns() + static_cast<std::uint64_t>(timeout_ * kBackstop * 1e9);
  }
  float* result(std::size_t k) { return reinterpret_cast<float*>(memory_->result(k) + kBlockHeaderBytes); }
  bool own_is_here(std::size_t k) {
    if (own_.here(k)) return true;
    device_busy_ = true;
    return false;
  }
  const float* from_child(std::size_t child, std::size_t k) {
    return reinterpret_cast<const float*>(memory_->from_child(child, k) + kBlockHeaderBytes);
  }

  BlockHeader header(BlockKind kind, std::size_t k) const {
    BlockHeader header;
    header.kind = kind;
    header.exchange = attempt_;
    header.index = static_cast<std::uint32_t>(k);
    header.in_flight = PassMemory::kInFlight;
    header.blocks = static_cast<std::uint32_t>(blocks_);
    header.payload_bytes = replica_.block(k).count * sizeof(float);
    return header;
  }

  void seal(BlockKind kind, std::size_t k, std::uint32_t members, bool is_result) {
    BlockHeader sealed = header(kind, k);
    sealed.members = members;
    sealed.result = is_result;
    seal_block(sealed, kTreeToken ^ attempt_, memory_->result(k));
  }

  void fail(const std::string& why) {
    error_ =
        fmt::format("{} over the members' tree (attempt {}) broke: {}",
                    operation_ == TreeOperation::kAverage ? "the average" : "the broadcast", attempt_, why);
  }

  bool fail_operation(const char* what, const Lane& lane, duet_status status) {
    fail(fmt::format("{} block {} of {}: {}", what, lane.finished(), blocks_,
                     failure_text(lane.connection(), status)));
    return false;
  }

  bool done() const {
    return ready_ == blocks_ && std::all_of(children_.begin(), children_.end(), [this](const Child& child) {
             return child.down.finished() == blocks_;
           });
  }

  bool step() {
    // A broken pass before this one may have left work on a device behind.
    if (!settled_ && !(settled_ = memory_->idle())) {
      device_busy_ = true;
      return false;
    }
    bool moved = false;
    if (operation_ == TreeOperation::kAverage) {
      moved |= receive_sums();
      moved |= add_up();
      moved |= send_sums();
    } else if (!parent_) {
      moved |= take_own();
    }
    moved |= receive_result();
    moved |= send_result();
    return moved && error_.empty();
  }

  // ---- upwards
  // ------------------------------------------------------------------------------------------------------
  bool receive_sums() {
    bool moved = false;
    for (std::size_t c = 0; c < children_.size(); ++c) {
      Lane& lane = children_[c].up;
      while (lane.posted() < blocks_ && lane.room()) {
        const std::size_t k = lane.posted();
        if (!lane.post(shared_from_this(), memory_->from_child(c, k), wire_bytes(k), backstop())) break;
        moved = true;
      }
    }
    return moved;
  }

  /// Whether every child's sum of block `added_` is here and sound.
  bool sums_are_here() {
    bool all = true;
    for (const Child& child : children_) {
      const Lane::Operation* operation = child.up.ended();
      if (operation == nullptr) {
        all = false;
      } else if (operation->status != DUET_OK) {
        return fail_operation("receiving", child.up, operation->status);
      }
    }
    if (!all) return false;
    for (std::size_t c = 0; c < children_.size(); ++c) {
      Child& child = children_[c];
      const std::string wrong =
          open_block(memory_->from_child(c, added_), child.up.ended()->bytes,
                     header(BlockKind::kTreeUp, added_), kTreeToken ^ attempt_, child.found);
      if (!wrong.empty()) return refuse(child.up, wrong);
      if (added_ == 0) child.first = child.found;
      if (child.found.members != child.first.members || child.found.result != child.first.result) {
        return refuse(child.up, "it does not count the same members as the blocks before it");
      }
    }
    return true;
  }

  bool refuse(const Lane& lane, const std::string& wrong) {
    fail(fmt::format("block {} of {} from {} was refused: {}", lane.finished(), blocks_,
                     lane.connection().peer(), wrong));
    return false;
  }

  bool add_up() {
    if (added_ == blocks_) return false;
    // Not far ahead of what goes up, so that it goes up from the cache.
    if (parent_ && added_ >= parent_->up.finished() + PassMemory::kInFlight) return false;
    if (!own_is_here(added_) || !sums_are_here()) return false;
    const std::size_t k = added_;
    const Block& block = replica_.block(k);
    std::uint32_t members = 1;
    bool is_result = true;
    const auto passed_on = std::find_if(children_.begin(), children_.end(),
                                        [](const Child& child) { return child.first.result; });
    if (has_result_) {
      own_.take(k);
      members = static_cast<std::uint32_t>(memory_->members_of_result());
    } else if (passed_on != children_.end()) {
      const auto c = static_cast<std::size_t>(passed_on - children_.begin());
      std::memcpy(result(k), from_child(c, k), block.count * sizeof(float));
      members = passed_on->first.members;
    } else {
      is_result = false;
      own_.take(k);
      for (std::size_t c = 0; c < children_.size(); ++c) {
        dynamics::accumulate(result(k), from_child(c, k), block.count);
        members += children_[c].first.members;
      }
    }
    for (Child& child : children_)
      child.up.finish();
    ++added_;
    if (parent_) {
      seal(BlockKind::kTreeUp, k, members, is_result);
      return true;
    }
    if (!is_result) {
      float* const sum = result(k);
      const auto count = static_cast<float>(members);
      for (std::size_t i = 0; i < block.count; ++i)
        sum[i] /= count;
    }
    seal(BlockKind::kTreeDown, k, members, is_result);
    members_ = members;
    block_is_ready();
    return true;
  }

  bool send_sums() {
    if (!parent_) return false;
    Lane& lane = parent_->up;
    bool moved = false;
    while (lane.posted() < added_ && lane.room()) {
      const std::size_t k = lane.posted();
      if (!lane.post(shared_from_this(), memory_->result(k), wire_bytes(k), backstop())) break;
      moved = true;
    }
    return reap(lane) || moved;
  }

  bool reap(Lane& lane) {
    bool moved = false;
    while (const Lane::Operation* operation = lane.ended()) {
      if (operation->status != DUET_OK) return fail_operation("sending", lane, operation->status);
      lane.finish();
      moved = true;
    }
    return moved;
  }

  // ---- downwards
  // ----------------------------------------------------------------------------------------------------
  /// The root's broadcast.
  bool take_own() {
    const std::size_t k = ready_;
    if (k == blocks_) return false;
    for (const Child& child : children_) {
      if (k >= child.down.finished() + PassMemory::kInFlight) return false;
    }
    if (!own_is_here(k)) return false;
    own_.take(k);
    seal(BlockKind::kTreeDown, k, 0, true);
    ++ready_;
    return true;
  }

  void block_is_ready() {
    own_.compare(ready_);
    ++ready_;
  }

  bool receive_result() {
    if (!parent_) return false;
    Lane& lane = parent_->down;
    // It comes to where the sum stood, so not before that has gone.
    const std::size_t gone = operation_ == TreeOperation::kAverage ? parent_->up.finished() : blocks_;
    bool moved = false;
    while (lane.posted() < gone && lane.room()) {
      const std::size_t k = lane.posted();
      if (!lane.post(shared_from_this(), memory_->result(k), wire_bytes(k), backstop())) break;
      moved = true;
    }
    const Lane::Operation* operation = lane.ended();
    if (operation == nullptr) return moved;
    if (operation->status != DUET_OK) return fail_operation("receiving", lane, operation->status);
    BlockHeader found;
    const std::string wrong = open_block(memory_->result(ready_), operation->bytes,
                                         header(BlockKind::kTreeDown, ready_), kTreeToken ^ attempt_, found);
    if (!wrong.empty()) return refuse(lane, wrong);
    if (ready_ == 0) parent_->first = found;
    if (found.members != parent_->first.members) {
      return refuse(lane, "it does not count the same members as the blocks before it");
    }
    members_ = found.members;
    lane.finish();
    if (operation_ == TreeOperation::kAverage) {
      block_is_ready();
    } else {
      ++ready_;
    }
    return true;
  }

  bool send_result() {
    bool moved = false;
    for (Child& child : children_) {
      while (child.down.posted() < ready_ && child.down.room()) {
        const std::size_t k = child.down.posted();
        if (!child.down.post(shared_from_this(), memory_->result(k), wire_bytes(k), backstop())) break;
        moved = true;
      }
      moved |= reap(child.down);
    }
    return moved;
  }

  // ---- the end
  // ------------------------------------------------------------------------------------------------------
  /// From here on nothing of it can fail but the device.
  void commit(double now) {
    if (!committing_) last_progress_ = now;
    committing_ = true;
    if (!own_.commit(operation_ == TreeOperation::kAverage)) {
      device_busy_ = true;
      if (now - last_progress_ > timeout_) {
        throw DeviceError(
            fmt::format("a device has not taken the result of a tree pass within {:g} s", timeout_));
      }
      return;
    }
    if (operation_ == TreeOperation::kAverage) memory_->set_members_of_result(members());
    complete_ = true;
    over_ = true;
  }

  /// Whom this worker waits for, for the message.
  std::string awaited() const {
    std::string who;
    const auto add = [&](const Lane& lane, std::size_t goal, const char* what) {
      if (lane.finished() >= goal) return;
      who += fmt::format("{}{} block {} of {} {}", who.empty() ? "" : ", ", what, lane.finished(), blocks_,
                         lane.connection().peer());
    };
    const bool average = operation_ == TreeOperation::kAverage;
    for (const Child& child : children_) {
      if (average && child.up.ended() == nullptr) add(child.up, blocks_, "waiting for the sum of");
    }
    if (parent_ && average) add(parent_->up, added_, "sending up");
    if (parent_) add(parent_->down, blocks_, "waiting for the result of");
    for (const Child& child : children_)
      add(child.down, ready_, "sending down");
    return who;
  }

  Replica& replica_;
  TreeOperation operation_;
  std::uint64_t attempt_;
  bool has_result_;
  double timeout_;
  double last_progress_;
  std::size_t blocks_;
  std::shared_ptr<PassMemory> memory_;
  TreeBlocks own_;
  std::optional<Parent> parent_;
  std::vector<Child> children_;  // never resized: operations in flight point into it

  std::size_t added_ = 0;  // blocks before this one are summed up (the root: divided)
  std::size_t ready_ = 0;  // blocks before this one are results
  std::uint32_t members_ = 0;
  std::string error_;
  bool settled_ = false;
  bool committing_ = false;
  bool device_busy_ = false;
  bool over_ = false;
  bool complete_ = false;
};

TreePass::TreePass(Replica& replica, const TreeLinks& links, TreeOperation operation, std::uint64_t attempt,
                   bool has_result, double timeout, double now)
    : impl_(std::make_shared<Impl>(replica, links, operation, attempt, has_result, timeout, now)) {}
TreePass::~TreePass() = default;

bool TreePass::advance(double now) {
  return impl_->advance(now);
}
bool TreePass::complete() const {
  return impl_->complete();
}
const std::string& TreePass::error() const {
  return impl_->error();
}
int TreePass::members() const {
  return impl_->members();
}
bool TreePass::device_busy() const {
  return impl_->device_busy();
}
double TreePass::squared_distance() const {
  return impl_->squared_distance();
}

}  // namespace duet::exchange
