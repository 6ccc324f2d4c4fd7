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
#include "exchange/rank_set.h"
#include "exchange/status_text.h"
#include "exchange/tree_blocks.h"
#include "exchange/tree_pieces.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

/// Blocks of tree passes are not secret (the control channel agrees on the attempt); this keeps them apart
/// from others.
constexpr std::uint64_t kTreeToken = 0x9E3779B97F4A7C15;

/// Operations end with their connection, which the owner closes after a broken pass. For one who does not:
/// after so many times the pass's own timeout.
constexpr double kBackstop = 16.0;

std::shared_ptr<PassMemory> memory_for(Replica& replica, const std::vector<TreePiece>& pieces,
                                       std::size_t children) {
  std::vector<std::size_t> payloads;
  payloads.reserve(pieces.size());
  for (const TreePiece& piece : pieces)
    payloads.push_back(piece.payload);
  std::shared_ptr<PassMemory>& kept = replica.pass_memory();
  if (kept == nullptr || kept->payloads() != payloads) {
    kept.reset();  // before as much is allocated again
    kept = std::make_shared<PassMemory>(std::move(payloads));
  } else if (kept.use_count() > 1) {
    // Operations of a broken pass are still in flight in it.
    auto fresh = std::make_shared<PassMemory>(std::move(payloads));
    fresh->take_kept(*kept);
    kept = std::move(fresh);
  }
  kept->prepare(children);
  return kept;
}

}  // namespace

class TreePass::Impl : public std::enable_shared_from_this<TreePass::Impl> {
 public:
  Impl(Replica& replica, const TreeLinks& links, const TreePlan& plan, double now)
      : replica_(replica),
        plan_(plan),
        last_progress_(now),
        pieces_(tree_pieces(replica, plan.operation, plan.world_size)),
        blocks_(pieces_.size()),
        memory_(memory_for(replica, pieces_, links.children.size())),
        own_(replica, *memory_, pieces_, averages()) {
    if (links.parent != nullptr) parent_.emplace(*links.parent);
    children_.reserve(links.children.size());
    for (transport::Connection* child : links.children)
      children_.emplace_back(*child);
    if (plan.has_result && memory_->kept(0) == nullptr) fail("this worker has no result to pass on");
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
    } else if (now - last_progress_ > plan_.timeout) {
      fail(fmt::format("no progress for {:g} s; {}", plan_.timeout, awaited()));
      over_ = true;
    }
    return over_;
  }

  bool complete() const { return complete_; }
  const std::string& error() const { return error_; }
  int members() const { return static_cast<int>(members_); }
  const std::vector<int>& counted() const { return counted_; }
  double squared_distance() const { return plan_.has_result ? 0.0 : own_.squared_distance(); }
  bool device_busy() const { return device_busy_; }
  bool committing() const { return committing_; }

 private:
  using Kind = TreePiece::Kind;
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

  bool averages() const { return plan_.operation != TreeOperation::kBroadcast; }
  std::uint64_t token() const { return kTreeToken ^ plan_.number; }
  std::uint64_t wire_bytes(std::size_t k) const { return kBlockHeaderBytes + pieces_[k].payload; }
  std::uint64_t backstop() const {
    return transport::now_ns() + static_cast<std::uint64_t>(plan_.timeout * kBackstop * 1e9);
  }
  bool own_is_here(std::size_t k) {
    if (plan_.has_result || own_.here(k)) return true;
    device_busy_ = true;
    return false;
  }
  std::size_t elements(std::size_t k) const { return pieces_[k].payload / sizeof(float); }
  std::byte* payload(std::size_t k) { return memory_->result(k) + kBlockHeaderBytes; }
  float* result(std::size_t k) { return reinterpret_cast<float*>(payload(k)); }
  const std::byte* from_child(std::size_t child, std::size_t k) {
    return memory_->from_child(child, k) + kBlockHeaderBytes;
  }

  BlockHeader header(BlockKind kind, std::size_t k) const {
    BlockHeader header;
    header.kind = kind;
    header.exchange = plan_.number;
    header.index = static_cast<std::uint32_t>(k);
    header.in_flight = PassMemory::kInFlight;
    header.blocks = static_cast<std::uint32_t>(blocks_);
    header.payload_bytes = pieces_[k].payload;
    return header;
  }

  void seal(BlockKind kind, std::size_t k, std::uint32_t members, bool is_result) {
    BlockHeader sealed = header(kind, k);
    sealed.members = members;
    sealed.result = is_result;
    seal_block(sealed, token(), memory_->result(k));
  }

  void fail(const std::string& why) {
    error_ = fmt::format("{} over the members' tree (pass {}) broke: {}",
                         averages() ? "the average" : "the broadcast", plan_.number, why);
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
    if (!settled_) settled_ = replica_.passages().idle();
    if (!settled_) {
      device_busy_ = true;
      return false;
    }
    bool moved = false;
    if (averages()) {
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
      const std::string wrong = open_block(memory_->from_child(c, added_), child.up.ended()->bytes,
                                           header(BlockKind::kTreeUp, added_), token(), child.found);
      if (!wrong.empty()) return refuse(child.up, wrong);
      if (added_ == 0) child.first = child.found;
      if (!agrees(child.up, child.first, child.found, from_child(c, added_), added_)) return false;
    }
    return true;
  }

  /// Whether the members that a block from elsewhere counts can be, and are those of the blocks before it.
  bool agrees(const Lane& lane, const BlockHeader& first, const BlockHeader& found, const std::byte* content,
              std::size_t k) {
    if (found.members != first.members || found.result != first.result) {
      return refuse(lane, "it does not count the same members as the blocks before it");
    }
    if (found.members < 1 || found.members > static_cast<std::uint32_t>(plan_.world_size)) {
      return refuse(lane,
                    fmt::format("it counts {} members of a run of {}", found.members, plan_.world_size));
    }
    if (pieces_[k].kind != Kind::kCounted) return true;
    const std::size_t listed = count_ranks(content, pieces_[k].payload);
    if (listed != found.members || !ranks_are_below(content, plan_.world_size)) {
      return refuse(lane, fmt::format("it counts {} members and lists {}", found.members, listed));
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
    std::uint32_t members = 1;
    bool is_result = true;
    const auto passed_on = std::find_if(children_.begin(), children_.end(),
                                        [](const Child& child) { return child.first.result; });
    if (plan_.has_result) {
      std::memcpy(payload(k), memory_->kept(k), pieces_[k].payload);
      members = static_cast<std::uint32_t>(memory_->members_of_kept());
    } else if (passed_on != children_.end()) {
      const auto c = static_cast<std::size_t>(passed_on - children_.begin());
      std::memcpy(payload(k), from_child(c, k), pieces_[k].payload);
      members = passed_on->first.members;
    } else {
      is_result = false;
      own_.take(k, plan_.rank);
      for (std::size_t c = 0; c < children_.size(); ++c) {
        if (!add_part_of(c, k, members)) return false;
      }
    }
    for (Child& child : children_)
      child.up.finish();
    ++added_;
    if (parent_) {
      seal(BlockKind::kTreeUp, k, members, is_result);
      return true;
    }
    if (!is_result && pieces_[k].kind != Kind::kCounted) {
      float* const sum = result(k);
      const auto count = static_cast<float>(members);
      for (std::size_t i = 0; i < elements(k); ++i)
        sum[i] /= count;
    }
    seal(BlockKind::kTreeDown, k, members, is_result);
    members_ = members;
    block_is_ready();
    return true;
  }

  bool add_part_of(std::size_t c, std::size_t k, std::uint32_t& members) {
    const Child& child = children_[c];
    members += child.first.members;  // each is at most world_size, and so was the sum
    if (members > static_cast<std::uint32_t>(plan_.world_size)) {
      return refuse(child.up, fmt::format("with it {} members of a run of {} would be counted", members,
                                          plan_.world_size));
    }
    if (pieces_[k].kind != Kind::kCounted) {
      dynamics::accumulate(result(k), reinterpret_cast<const float*>(from_child(c, k)), elements(k));
    } else if (!add_disjoint(payload(k), from_child(c, k), pieces_[k].payload)) {
      return refuse(child.up, "it lists a member that is counted already");
    }
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
    own_.take(k, plan_.rank);
    seal(BlockKind::kTreeDown, k, 0, true);
    ++ready_;
    return true;
  }

  void block_is_ready() {
    const TreePiece& piece = pieces_[ready_];
    if (piece.kind == Kind::kCounted) counted_ = ranks_of(payload(ready_), piece.payload);
    // Whoever passes a result on measured it when it was made.
    if (!plan_.has_result) own_.compare(ready_);
    ++ready_;
  }

  bool receive_result() {
    if (!parent_) return false;
    Lane& lane = parent_->down;
    // It comes to where the sum stood, so not before that has gone.
    const std::size_t gone = averages() ? parent_->up.finished() : blocks_;
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
                                         header(BlockKind::kTreeDown, ready_), token(), found);
    if (!wrong.empty()) return refuse(lane, wrong);
    if (ready_ == 0) parent_->first = found;
    if (averages() && !agrees(lane, parent_->first, found, payload(ready_), ready_)) return false;
    if (plan_.has_result && !found.result) {
      return refuse(lane, "it is a new result, although this worker passed one up");
    }
    members_ = found.members;
    lane.finish();
    if (averages()) {
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
  /// From here on nothing of it can fail but a device.
  void commit(double now) {
    if (!committing_) last_progress_ = now;
    committing_ = true;
    if (!plan_.has_result) {
      if (!own_.commit()) {
        device_busy_ = true;
        if (now - last_progress_ > plan_.timeout) {
          throw DeviceError(
              fmt::format("a device has not taken the result of a tree pass within {:g} s", plan_.timeout));
        }
        return;
      }
      if (averages()) memory_->keep(members());
    }
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
    const bool average = averages();
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
  TreePlan plan_;
  double last_progress_;
  std::vector<TreePiece> pieces_;
  std::size_t blocks_;
  std::shared_ptr<PassMemory> memory_;
  TreeBlocks own_;
  std::optional<Parent> parent_;
  std::vector<Child> children_;  // never resized: operations in flight point into it

  std::size_t added_ = 0;  // blocks before this one are summed up (the root: divided)
  std::size_t ready_ = 0;  // blocks before this one are results
  std::uint32_t members_ = 0;
  std::vector<int> counted_;
  std::string error_;
  bool settled_ = false;
  bool committing_ = false;
  bool device_busy_ = false;
  bool over_ = false;
  bool complete_ = false;
};

TreePass::TreePass(Replica& replica, const TreeLinks& links, const TreePlan& plan, double now)
    : impl_(std::make_shared<Impl>(replica, links, plan, now)) {}
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
const std::vector<int>& TreePass::counted() const {
  return impl_->counted();
}
bool TreePass::committing() const {
  return impl_->committing();
}
bool TreePass::device_busy() const {
  return impl_->device_busy();
}
double TreePass::squared_distance() const {
  return impl_->squared_distance();
}

}  // namespace duet::exchange
