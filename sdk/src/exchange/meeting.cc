#include "exchange/meeting.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "exchange/block_header.h"
#include "exchange/block_work.h"
#include "exchange/staging.h"
#include "exchange/status_text.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

/// How long advance() sleeps at the gate when it has nothing else to do: enough to be next when the trainer
/// leaves, too little to keep the communication thread from its other work.
constexpr double kGatePatience = 0.0005;

/// Statistics are averaged plainly, whatever the algorithm does with parameters.
constexpr float kPlainAverage = 0.5F;

/// Spreads a token's bits (SplitMix64's finalizer), so that any remainder of it is even.
std::uint64_t mixed(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
  return bits ^ (bits >> 31);
}

}  // namespace

std::shared_ptr<Staging> make_staging(const Replica& replica, DType wire, int depth,
                                      std::uint64_t capabilities, int only_device) {
  return std::make_shared<Staging>(replica, wire, depth, capabilities, only_device);
}

class Meeting::Impl {
 public:
  Impl(Replica& replica, transport::Connection& connection, std::shared_ptr<Staging> staging,
       const MeetingPlan& plan, double now)
      : replica_(replica),
        connection_(connection),
        staging_(std::move(staging)),
        plan_(plan),
        work_(*staging_, plan.token, plan.wire),
        last_progress_(now),
        pairs_(static_cast<std::size_t>(staging_->depth())),
        blocks_(replica.parameter_block_count()) {
    choose_statistics();
    post_receives();
  }

  ~Impl() {
    for (const Pair& pair : pairs_) {
      if (pair.own == nullptr) continue;
      staging_->give_back(*pair.own);
      staging_->give_back(*pair.peers);
    }
  }

  bool advance(double now) {
    if (phase_ == Phase::kRunning) run(now);
    if (phase_ == Phase::kMixing) mix_rest();
    return phase_ == Phase::kOver;
  }

  bool gate_busy() const { return gate_busy_; }
  bool device_busy() const { return device_busy_; }
  const MeetingResult& result() const { return result_; }

  void abort(const std::string& why) {
    if (phase_ == Phase::kRunning) break_off(why, FailureReason::kPeerGone);
  }

 private:
  enum class Phase { kRunning, kMixing, kOver };

  /// Where block k lives while it is under way: k modulo the depth.
  struct Pair {
    Slot* own = nullptr;
    Slot* peers = nullptr;
    std::string wrong;  // what the peer's block was found to be
  };

  /// The token decides which statistics take part, so both sides decide alike.
  void choose_statistics() {
    const std::uint64_t draw = mixed(plan_.token);
    for (std::size_t i = replica_.parameter_block_count(); i < replica_.block_count(); ++i) {
      const int every = replica_.block(i).every;
      if (every > 0 && draw % static_cast<std::uint64_t>(every) == 0) statistics_.push_back(i);
    }
    blocks_ += statistics_.size();
  }

  /// The replica's number of this meeting's block k.
  std::size_t number(std::size_t k) const {
    const std::size_t parameters = replica_.parameter_block_count();
    return k < parameters ? k : statistics_[k - parameters];
  }
  const Block& block(std::size_t k) const { return replica_.block(number(k)); }

  Pair& pair(std::size_t k) { return pairs_[k % pairs_.size()]; }
  std::uint64_t payload_bytes(std::size_t k) const { return block(k).count * size_of(plan_.wire); }
  std::uint64_t wire_bytes(std::size_t k) const { return kBlockHeaderBytes + payload_bytes(k); }

  BlockHeader header(std::size_t k) const {
    BlockHeader header;
    header.kind = BlockKind::kMeeting;
    header.dtype = plan_.wire;
    header.exchange = plan_.meeting;
    header.index = static_cast<std::uint32_t>(k);
    header.in_flight = static_cast<std::uint32_t>(pairs_.size());
    header.blocks = static_cast<std::uint32_t>(blocks_);
    header.payload_bytes = payload_bytes(k);
    return header;
  }

  /// Longer than this object waits itself: for an owner that keeps the connection open after a broken
  /// meeting.
  std::uint64_t backstop() const {
    const double seconds = plan_.timeout * (static_cast<double>(pairs_.size()) + 2.0);
    return transport::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  }

  void run(double now) {
    bool moved = false;
    for (const double patience : {0.0, kGatePatience}) {
      patience_ = patience;
      while (phase_ == Phase::kRunning && step())
        moved = true;
      if (moved || !gate_busy_) break;
    }
    if (phase_ != Phase::kRunning) return;
    if (moved) last_progress_ = now;
    if (applied_ == blocks_ && sent_ == blocks_) {
      result_.complete = true;
      phase_ = Phase::kOver;
    } else if (!gate_busy_ && !device_busy_ && send_failed()) {
      // Not before everything that had arrived was applied: the peer, too, applies what arrived.
      const Slot& slot = *pair(sent_).own;
      break_off(operation_failed("sending", sent_, slot), reason_of(slot.status));
    } else if (now - last_progress_ > plan_.timeout) {
      break_off(fmt::format("no progress for {:g} s{}; {} of {} blocks were sent, {} applied", plan_.timeout,
                            gate_busy_ ? " (this worker's own trainer is inside the gate)" : "", sent_,
                            blocks_, applied_),
                FailureReason::kTimeout);
    }
  }

  /// One round over what may be possible. False: nothing was.
  bool step() {
    gate_busy_ = false;
    device_busy_ = false;
    bool moved = post_receives();
    moved |= reap_sends();
    moved |= snapshot_next();
    moved |= seal_snapshots();
    moved |= post_sends();
    if (phase_ == Phase::kRunning) moved |= apply_next();
    return moved;
  }

  bool post_receives() {
    bool moved = false;
    // A pair's receive may be posted again when what it held was applied.
    while (receiving_ < blocks_ && receiving_ < applied_ + pairs_.size()) {
      Pair& at = pair(receiving_);
      if (at.own == nullptr && !staging_->take(at.own, at.peers)) {
        device_busy_ = !replica_.parts().empty();
        break;
      }
      if (!work_.receivable(block(receiving_), *at.peers)) {
        device_busy_ = true;
        break;
      }
      if (!staging_->receive(connection_, block(receiving_).part, *at.peers, wire_bytes(receiving_),
                             backstop())) {
        break;
      }
      ++receiving_;
      moved = true;
    }
    return moved;
  }

  bool send_failed() {
    if (sent_ == posted_) return false;
    const Slot& slot = *pair(sent_).own;
    return slot.state == Slot::State::kDone && slot.status != DUET_OK;
  }

  bool reap_sends() {
    bool moved = false;
    for (; sent_ < posted_; ++sent_) {
      Slot& slot = *pair(sent_).own;
      if (slot.state != Slot::State::kDone || slot.status != DUET_OK) break;
      slot.state = Slot::State::kHeld;
      result_.bytes_sent += wire_bytes(sent_);
      moved = true;
    }
    return moved;
  }

  bool snapshot_next() {
    const std::size_t k = snapshotted_;
    // The receive of block k was posted: so its pair is there, and what it held before was applied; and sent?
    if (k == receiving_ || k >= sent_ + pairs_.size() || send_failed()) return false;
    const bool entered = replica_.in_communication_turn(patience_, [&] {
      const Block& at = block(k);
      const auto c = static_cast<float>(plan_.coefficients.c);
      work_.snapshot(at, header(k), *pair(k).own, c);
      if (at.z != nullptr && c != 0.0F) replica_.set_pending(number(k));
    });
    if (!entered) {
      gate_busy_ = true;
      return false;
    }
    ++snapshotted_;
    return true;
  }

  /// Outside of the gate.
  bool seal_snapshots() {
    bool moved = false;
    for (; sealed_ < snapshotted_; ++sealed_) {
      if (!work_.sealed(block(sealed_), header(sealed_), *pair(sealed_).own)) {
        device_busy_ = true;
        break;
      }
      moved = true;
    }
    return moved;
  }

  bool post_sends() {
    bool moved = false;
    for (; posted_ < sealed_; ++posted_) {
      if (!staging_->send(connection_, block(posted_).part, *pair(posted_).own, wire_bytes(posted_),
                          backstop())) {
        break;
      }
      moved = true;
    }
    return moved;
  }

  bool apply_next() {
    const std::size_t k = applied_;
    if (k == receiving_) return false;
    const bool begun = begin_checks();
    Slot& slot = *pair(k).peers;
    if (checked_ == k) {
      if (slot.state == Slot::State::kDone && slot.status != DUET_OK) {
        break_off(operation_failed("receiving", k, slot), reason_of(slot.status));
      }
      return false;
    }
    const BlockWork::Checked found = work_.check(block(k), header(k), slot);
    const std::string& wrong = pair(k).wrong.empty() ? found.wrong : pair(k).wrong;
    if (pair(k).wrong.empty() && found.verdict == BlockWork::Verdict::kPending) {
      device_busy_ = true;
      return begun;
    }
    if (!wrong.empty()) {
      refuse(k, wrong);
      return false;
    }
    const Block& at = block(k);
    const bool parameters = at.role == BufferRole::kParameters;
    const bool entered = replica_.in_communication_turn(patience_, [&] {
      work_.apply(at, *pair(k).own, slot,
                  parameters ? static_cast<float>(plan_.coefficients.alpha) : kPlainAverage,
                  static_cast<float>(plan_.coefficients.alpha_tilde_minus_alpha));
      replica_.set_pending(number(k));
    });
    if (!entered) {
      gate_busy_ = true;
      return begun;
    }
    if (parameters) result_.squared_distance += found.squared_distance;
    result_.bytes_received += slot.bytes;
    slot.state = Slot::State::kHeld;
    result_.blocks_applied = ++applied_;
    return true;
  }

  /// Outside of the gate, on staging memory alone; once per block, however often the gate is tried. On the
  /// host just before a block is applied, while it is in cache; on devices as soon as it is here. A block
  /// that is bad waits for those before it, which are good, to be applied.
  bool begin_checks() {
    bool moved = false;
    for (; checked_ < receiving_ && checked_ < sealed_; ++checked_) {
      if (checked_ > applied_ && block(checked_).part == nullptr) break;
      Pair& at = pair(checked_);
      if (at.peers->state == Slot::State::kLent || at.peers->status != DUET_OK) break;
      at.wrong = work_.begin_check(block(checked_), header(checked_), *at.own, *at.peers);
      moved = true;
    }
    return moved;
  }

  std::string operation_failed(const char* what, std::size_t k, const Slot& slot) {
    return fmt::format("{} block {} of {}: {}", what, k, blocks_, failure_text(connection_, slot.status));
  }

  void refuse(std::size_t k, const std::string& wrong) {
    result_.rejected = true;
    result_.refused_for = reason_of_refusal(wrong);
    break_off(fmt::format("block {} of {} was refused: {}", k, blocks_, wrong), FailureReason::kRejected);
  }

  static FailureReason reason_of(duet_status status) {
    if (status == DUET_TIMED_OUT) return FailureReason::kTimeout;
    return status == DUET_PEER_LOST ? FailureReason::kPeerGone : FailureReason::kTransport;
  }

  void break_off(const std::string& why, FailureReason reason) {
    result_.reason = reason;
    result_.error = fmt::format("the meeting with {} was broken off: {}", connection_.peer(), why);
    result_.connection_usable = false;
    phase_ = Phase::kMixing;
  }

  void mix_rest() {
    gate_busy_ = device_busy_ = false;
    const auto c = static_cast<float>(plan_.coefficients.c);
    for (; snapshotted_ < blocks_ && replica_.has_momentum() && c != 0.0F; ++snapshotted_) {
      const Block& at = block(snapshotted_);
      if (at.z == nullptr) continue;
      const bool entered = replica_.in_communication_turn(kGatePatience, [&] {
        BlockWork::mix(at, c);
        replica_.set_pending(number(snapshotted_));
      });
      if (!entered) {
        gate_busy_ = true;
        return;
      }
    }
    phase_ = Phase::kOver;
  }

  Replica& replica_;
  transport::Connection& connection_;
  std::shared_ptr<Staging> staging_;
  MeetingPlan plan_;
  BlockWork work_;
  MeetingResult result_;
  Phase phase_ = Phase::kRunning;
  double last_progress_;
  double patience_ = 0.0;
  bool gate_busy_ = false;
  bool device_busy_ = false;
  std::vector<Pair> pairs_;
  std::vector<std::size_t> statistics_;  // the replica's numbers of those that take part

  // Blocks before these were … (applied ≤ checked ≤ receiving ≤ applied + depth; sent ≤ posted ≤ sealed ≤
  // snapshotted ≤ receiving)
  std::size_t blocks_;           // that take part
  std::size_t receiving_ = 0;    // … posted for receiving
  std::size_t snapshotted_ = 0;  // … snapshotted
  std::size_t sealed_ = 0;       // … and in staging memory, with their headers
  std::size_t posted_ = 0;       // … posted for sending
  std::size_t sent_ = 0;         // … sent
  std::size_t checked_ = 0;      // … checked, or are being checked
  std::size_t applied_ = 0;      // … applied
};

Meeting::Meeting(Replica& replica, transport::Connection& connection, std::shared_ptr<Staging> staging,
                 const MeetingPlan& plan, double now)
    : impl_(std::make_unique<Impl>(replica, connection, std::move(staging), plan, now)) {}
Meeting::~Meeting() = default;

bool Meeting::advance(double now) {
  return impl_->advance(now);
}
bool Meeting::gate_busy() const {
  return impl_->gate_busy();
}
bool Meeting::device_busy() const {
  return impl_->device_busy();
}
void Meeting::abort(const std::string& why) {
  impl_->abort(why);
}
const MeetingResult& Meeting::result() const {
  return impl_->result();
}

}  // namespace duet::exchange
