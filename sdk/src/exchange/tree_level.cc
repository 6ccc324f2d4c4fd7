#include "exchange/tree_level.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "exchange/block_header.h"
#include "exchange/lane.h"
#include "exchange/status_text.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr std::uint64_t kLevelToken = 0xD1B54A32D192ED03;
/// As for TreePass: operations end with their connection; this is for an owner who does not close it.
constexpr double kBackstop = 16.0;
constexpr std::size_t kPayload = 2 * sizeof(std::uint64_t);

struct Extremes {
  std::uint64_t smallest = 0;
  std::uint64_t largest = 0;
};

void put(std::byte* to, std::uint64_t value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    to[i] = static_cast<std::byte>(value >> (8 * i) & 0xFF);
}

std::uint64_t get(const std::byte* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  return value;
}

BlockHeader header(BlockKind kind) {
  BlockHeader made;
  made.kind = kind;
  made.exchange = 0;  // no pass has this number
  made.blocks = 1;
  made.in_flight = 1;
  made.payload_bytes = kPayload;
  return made;
}

}  // namespace

class TreeLevel::Impl : public std::enable_shared_from_this<TreeLevel::Impl> {
 public:
  Impl(const TreeLinks& links, std::uint64_t number, double timeout, double now)
      : level_{number, number}, timeout_(timeout), end_(now + timeout) {
    if (links.parent != nullptr) parent_.emplace(*links.parent, true);
    for (transport::Connection* child : links.children)
      children_.emplace_back(*child, false);
  }

  bool advance(double now) {
    if (over_) return true;
    turn();
    if (!error_.empty()) {
      over_ = true;
    } else if (told_ && sent()) {
      complete_ = true;
      over_ = true;
    } else if (now >= end_) {
      fail(fmt::format("not all took part within {:g} s; waiting for {}", timeout_, awaited()));
      over_ = true;
    }
    return over_;
  }

  bool complete() const { return complete_; }
  const std::string& error() const { return error_; }
  const Extremes& level() const { return level_; }

 private:
  struct Block {
    std::array<std::byte, kBlockHeaderBytes + kPayload> bytes;
  };
  struct Link {
    Link(transport::Connection& connection, bool parent)
        : up(connection, parent), down(connection, !parent) {}
    Lane up;
    Lane down;
    Block from;  // what comes from there
    bool heard = false;
  };

  void turn() {
    for (Link& child : children_)
      hear(child, child.up, BlockKind::kTreeUp);
    const bool all =
        std::all_of(children_.begin(), children_.end(), [](const Link& child) { return child.heard; });
    if (!all || !error_.empty()) return;
    if (parent_) {
      tell(parent_->up, up_, BlockKind::kTreeUp);
      hear(*parent_, parent_->down, BlockKind::kTreeDown);
    }
    told_ = !parent_ || parent_->heard;
    if (!told_) return;
    for (Link& child : children_)
      tell(child.down, down_, BlockKind::kTreeDown);
  }

  std::uint64_t backstop() const {
    return transport::now_ns() + static_cast<std::uint64_t>(timeout_ * kBackstop * 1e9);
  }

  void hear(Link& link, Lane& lane, BlockKind kind) {
    if (link.heard || !error_.empty()) return;
    if (lane.posted() == 0)
      lane.post(shared_from_this(), link.from.bytes.data(), link.from.bytes.size(), backstop());
    const Lane::Operation* operation = lane.ended();
    if (operation == nullptr) return;
    if (operation->status != DUET_OK) return fail_operation("receiving from", lane, operation->status);
    BlockHeader found;
    const std::string wrong =
        open_block(link.from.bytes.data(), operation->bytes, header(kind), kLevelToken, found);
    if (!wrong.empty())
      return fail(fmt::format("a block from {} was refused: {}", lane.connection().peer(), wrong));
    lane.finish();
    link.heard = true;
    const std::byte* const told = link.from.bytes.data() + kBlockHeaderBytes;
    const Extremes other{get(told), get(told + sizeof(std::uint64_t))};
    if (kind == BlockKind::kTreeDown) {
      if (other.smallest > level_.smallest || other.largest < level_.largest) {
        return fail(fmt::format("{} forgot what it was told", lane.connection().peer()));
      }
      level_ = other;
    } else {
      level_ = {std::min(level_.smallest, other.smallest), std::max(level_.largest, other.largest)};
    }
  }

  void tell(Lane& lane, Block& block, BlockKind kind) {
    if (lane.posted() == 0) {
      // One block for all children: sealed once, never written again.
      if (!std::exchange(kind == BlockKind::kTreeUp ? up_sealed_ : down_sealed_, true)) {
        put(block.bytes.data() + kBlockHeaderBytes, level_.smallest);
        put(block.bytes.data() + kBlockHeaderBytes + sizeof(std::uint64_t), level_.largest);
        seal_block(header(kind), kLevelToken, block.bytes.data());
      }
      lane.post(shared_from_this(), block.bytes.data(), block.bytes.size(), backstop());
    }
    const Lane::Operation* operation = lane.ended();
    if (operation == nullptr) return;
    if (operation->status != DUET_OK) return fail_operation("sending to", lane, operation->status);
    lane.finish();
  }

  bool sent() const {
    return (!parent_ || parent_->up.finished() == 1) &&
           std::all_of(children_.begin(), children_.end(),
                       [](const Link& child) { return child.down.finished() == 1; });
  }

  void fail(const std::string& why) {
    if (error_.empty()) error_ = "finding out how far everyone is broke: " + why;
  }
  void fail_operation(const char* what, const Lane& lane, duet_status status) {
    fail(fmt::format("{} {}: {}", what, lane.connection().peer(), failure_text(lane.connection(), status)));
  }

  std::string awaited() const {
    std::string who;
    for (const Link& child : children_) {
      if (child.heard && child.down.finished() == 1) continue;
      who += (who.empty() ? "" : ", ") + child.up.connection().peer();
    }
    if (parent_ && !parent_->heard) who += (who.empty() ? "" : ", ") + parent_->up.connection().peer();
    return who;
  }

  Extremes level_;
  double timeout_;
  double end_;
  std::optional<Link> parent_;
  std::deque<Link> children_;  // operations in flight point into it
  Block up_;
  Block down_;
  bool up_sealed_ = false;
  bool down_sealed_ = false;
  bool told_ = false;  // level_ is the whole tree's
  bool over_ = false;
  bool complete_ = false;
  std::string error_;
};

TreeLevel::TreeLevel(const TreeLinks& links, std::uint64_t number, double timeout, double now)
    : impl_(std::make_shared<Impl>(links, number, timeout, now)) {}
TreeLevel::~TreeLevel() = default;

bool TreeLevel::advance(double now) {
  return impl_->advance(now);
}
bool TreeLevel::complete() const {
  return impl_->complete();
}
const std::string& TreeLevel::error() const {
  return impl_->error();
}
std::uint64_t TreeLevel::smallest() const {
  return impl_->level().smallest;
}
std::uint64_t TreeLevel::largest() const {
  return impl_->level().largest;
}

}  // namespace duet::exchange
