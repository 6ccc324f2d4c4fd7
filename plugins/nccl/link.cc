#include "link.h"

#include <algorithm>
#include <utility>

namespace duet::nccl {
namespace {

constexpr std::size_t kMostQueued = 1024;  // in each direction; the contract's "no room now"
/// The next group is launched while one runs, so that the device need not wait for us.
constexpr std::uint64_t kGroupsAhead = 2;
constexpr std::uint64_t kMostOfAKind = 16;  // sends, and receives, in one group
/// A peer that has gone said before that it was done with a group; our half of it ends at the same moment, if
/// it ends at all.
constexpr std::uint64_t kGrace = 200'000'000;

}  // namespace

Link::Link(bool leader, std::uint64_t deadline, std::string label)
    : leader_(leader), label_(std::move(label)), deadline_(deadline) {
  sends_.send = true;
}

std::string Link::describe(const Operation& operation, bool send) const {
  return std::string(name(send)) + " of " + std::to_string(operation.bytes) + " bytes";
}

Failure Link::failure_of(duet_status status, const std::string& what, int system_error) const {
  return {status, system_error, label_ + ": " + what};
}

// ---- the host

duet_status Link::post(const Post& post) {
  if (failure_) return failure_->status;
  Stream& to = stream(post.send);
  if (to.operations.size() >= kMostQueued) return DUET_AGAIN;
  to.operations.push_back({post.id, post.data, post.bytes, post.deadline, post.ready, false});
  announce();
  compose();
  return DUET_OK;
}

duet_status Link::cancel(std::uint64_t id) {
  for (const bool send : {true, false}) {
    Stream& in = stream(send);
    for (std::size_t i = 0; i < in.operations.size(); ++i) {
      Operation& operation = in.operations[i];
      if (operation.id != id || operation.ended) continue;
      // The device has it: only the end of its communicator could take it back.
      if (!recalled(in, in.first + i)) return DUET_AGAIN;
      withdraw(operation, send, DUET_CANCELLED, "was cancelled");
      return DUET_OK;
    }
  }
  const bool just_done =
      std::any_of(done_.begin(), done_.end(), [&](const Done& done) { return done.id == id; });
  return just_done ? DUET_OK : DUET_MISUSE;
}

void Link::close() {
  if (std::exchange(closed_, true)) return;
  if (!failure_) end(failure_of(DUET_CANCELLED, "closed by this side"));
}

// ---- the world

void Link::met() {
  if (phase_ != Phase::kDialing) return;
  phase_ = Phase::kOpening;
  has_communicator_ = true;
  actions_.emplace_back(OpenCommunicator{});
  announce();
}

void Link::on_frame(const Frame& frame, std::uint64_t now) {
  if (failure_) return;
  switch (frame.kind) {
    case FrameKind::kHello:
    case FrameKind::kWelcome:
      return broken_protocol("introduced itself twice");
    case FrameKind::kPostedSend:
      on_posted(receives_, frame);
      break;
    case FrameKind::kPostedReceive:
      on_posted(sends_, frame);
      break;
    case FrameKind::kLaunch:
      on_launch(frame);
      break;
    case FrameKind::kDone:
      on_done(frame);
      break;
    case FrameKind::kHalt:
      halted_ = true;
      break;
    case FrameKind::kGoodbye:
      if (frame.first == DUET_MISUSE) {
        on_end(failure_of(DUET_MISUSE, "the peer found sizes that differ, and ended the connection"), now);
      } else if (frame.first == DUET_CANCELLED) {
        on_end(failure_of(DUET_PEER_LOST, "the peer closed the connection"), now);
      } else {
        on_end(failure_of(DUET_PEER_LOST,
                          "the peer ended the connection (its status " + std::to_string(frame.first) + ")"),
               now);
      }
      break;
  }
}

void Link::line_lost(const std::string& why, std::uint64_t now) {
  if (!failure_ && !end_at_grace_) on_end(failure_of(DUET_PEER_LOST, why), now);
}

void Link::refused(const Failure& failure) {
  if (!failure_) end(failure_of(failure.status, failure.text, failure.system_error));
}

void Link::memory_ready(std::uint64_t id) {
  for (Stream* in : {&sends_, &receives_}) {
    for (Operation& operation : in->operations) {
      if (operation.id == id && !operation.ended) operation.ready = true;
    }
  }
  if (failure_) return;
  announce();
  compose();
}

void Link::communicator_ready() {
  if (phase_ != Phase::kOpening) return;
  phase_ = Phase::kReady;
  compose();
}

void Link::communicator_failed(const Failure& failure) {
  if (!failure_) end(failure_of(failure.status, failure.text, failure.system_error));
}

void Link::groups_finished(std::uint64_t count) {
  groups_finished_ = std::max(groups_finished_, count);
  if (failure_) return;  // the communicator is being released: that ends what is left
  settle_groups();
  compose();
}

void Link::released() {
  if (phase_ != Phase::kEnding) return;
  phase_ = Phase::kEnded;
  for (const bool send : {true, false})
    finish(stream(send), stream(send).posted(), failure_->status);
  groups_.clear();
}

void Link::evict(int communicators) {
  if (failure_) return;
  end(failure_of(DUET_PEER_LOST, "its communicator was given up for another connection (communicators = " +
                                     std::to_string(communicators) + ")"));
}

void Link::tick(std::uint64_t now) {
  if (failure_) return;
  if (end_at_grace_ && now >= grace_) return end(*std::exchange(end_at_grace_, std::nullopt));
  if (deadline_ != 0 && now >= deadline_ && phase_ < Phase::kReady) {
    const char* what = phase_ == Phase::kOpening ? "the communicator did not come about before the deadline"
                       : leader_                 ? "nobody connected before the deadline"
                                                 : "did not answer the connect before the deadline";
    return end(failure_of(DUET_TIMED_OUT, what));
  }
  for (const bool send : {true, false}) {
    Stream& in = stream(send);
    for (std::size_t i = 0; i < in.operations.size(); ++i) {
      Operation& operation = in.operations[i];
      if (operation.ended || operation.deadline == 0 || operation.deadline > now) continue;
      if (!recalled(in, in.first + i)) {
        return end(
            failure_of(DUET_TIMED_OUT, describe(operation, send) + " passed its deadline on the device"));
      }
      withdraw(operation, send, DUET_TIMED_OUT, "passed its deadline");
    }
  }
}

std::uint64_t Link::next_deadline() const {
  if (failure_) return 0;
  std::uint64_t next = 0;
  const auto consider = [&](std::uint64_t deadline) {
    if (deadline != 0 && (next == 0 || deadline < next)) next = deadline;
  };
  if (phase_ < Phase::kReady) consider(deadline_);
  if (end_at_grace_) consider(grace_);
  for (const Stream* in : {&sends_, &receives_}) {
    for (const Operation& operation : in->operations) {
      if (!operation.ended) consider(operation.deadline);
    }
  }
  return next;
}

// ---- frames

void Link::broken_protocol(const char* what) {
  end(failure_of(DUET_PEER_LOST, std::string("the peer broke the protocol: it ") + what));
}

void Link::on_posted(Stream& in, const Frame& frame) {
  if (frame.first != in.launched + in.theirs.size()) return broken_protocol("posted out of order");
  if (in.theirs.size() >= 2 * kMostQueued) return broken_protocol("posted too much");
  in.theirs.push_back(frame.second);
  compose();
}

void Link::on_launch(const Frame& frame) {
  if (leader_ || frame.first != groups_launched_ + 1) return broken_protocol("launched out of order");
  // The leader's sends are our receives.
  for (const bool send : {true, false}) {
    Stream& in = stream(send);
    const std::uint64_t count = send ? frame.third : frame.second;
    if (count > in.theirs.size() || count > in.announced - in.launched)
      return broken_protocol("launched what was not posted");
    for (std::uint64_t i = in.launched; i < in.launched + count; ++i) {
      // Crossed with our taking it back: the order of the streams is gone, and over there it waits.
      if (in.at(i).ended)
        return end(failure_of(DUET_TIMED_OUT, "the peer launched an operation that had been taken back"));
    }
  }
  if (!sizes_agree()) return;
  launch(frame.third, frame.second);
}

void Link::on_done(const Frame& frame) {
  for (Group& group : groups_) {
    if (group.index != frame.first) continue;
    group.done_there = true;
    settle_groups();
    return;
  }
  broken_protocol("was done with what was not launched");
}

void Link::on_end(const Failure& failure, std::uint64_t now) {
  const bool arriving = std::any_of(groups_.begin(), groups_.end(),
                                    [](const Group& group) { return group.done_there && !group.done_here; });
  if (!arriving) return end(failure);
  end_at_grace_ = failure;
  grace_ = now + kGrace;
  halted_ = true;
}

// ---- groups

void Link::announce() {
  if (phase_ != Phase::kOpening && phase_ != Phase::kReady) return;
  for (const bool send : {true, false}) {
    Stream& out = stream(send);
    for (; out.announced < out.posted(); ++out.announced) {
      const Operation& operation = out.at(out.announced);
      if (!operation.ready || operation.ended) break;
      actions_.emplace_back(Announce{{send, out.announced, operation.data, operation.bytes}});
    }
  }
}

/// Of every pair that both sides have posted. Also the follower looks: whoever sees a difference first says
/// so, before anything runs that could never end.
bool Link::sizes_agree() {
  for (const bool send : {true, false}) {
    Stream& in = stream(send);
    for (std::uint64_t i = in.launched; i < in.announced && i - in.launched < in.theirs.size(); ++i) {
      const std::uint64_t theirs = in.theirs[i - in.launched];
      if (in.at(i).bytes == theirs) continue;
      end(failure_of(DUET_MISUSE, describe(in.at(i), send) + " meets one of " + std::to_string(theirs) +
                                      " bytes over there: this transport needs equal sizes"));
      return false;
    }
  }
  return true;
}

void Link::compose() {
  if (failure_ || !sizes_agree()) return;
  if (!leader_ || phase_ != Phase::kReady || halted_) return;
  for (;;) {
    const auto running =
        std::count_if(groups_.begin(), groups_.end(), [](const Group& group) { return !group.done_here; });
    if (static_cast<std::uint64_t>(running) >= kGroupsAhead) return;
    const auto matched = [](const Stream& in) {
      return std::min<std::uint64_t>({in.announced - in.launched, in.theirs.size(), kMostOfAKind});
    };
    const std::uint64_t sends = matched(sends_), receives = matched(receives_);
    if (sends + receives == 0) return;
    Frame frame;
    frame.kind = FrameKind::kLaunch;
    frame.first = groups_launched_ + 1;
    frame.second = sends;
    frame.third = receives;
    actions_.emplace_back(Say{frame});
    launch(sends, receives);
  }
}

void Link::launch(std::uint64_t sends, std::uint64_t receives) {
  Launch action;
  for (const bool send : {true, false}) {
    Stream& in = stream(send);
    const std::uint64_t count = send ? sends : receives;
    for (std::uint64_t i = 0; i < count; ++i, ++in.launched) {
      const Operation& operation = in.at(in.launched);
      action.pieces.push_back({send, in.launched, operation.data, operation.bytes});
      in.theirs.pop_front();
    }
  }
  groups_.push_back({++groups_launched_, sends_.launched, receives_.launched, false, false});
  actions_.emplace_back(std::move(action));
  settle_groups();
}

void Link::settle_groups() {
  for (Group& group : groups_) {
    if (group.done_here || group.index > groups_finished_) continue;
    group.done_here = true;
    Frame frame;
    frame.kind = FrameKind::kDone;
    frame.first = group.index;
    actions_.emplace_back(Say{frame});
    finish(receives_, group.receives_end, DUET_OK);
  }
  // A send ends when the peer has the data, so that closing right after loses nothing.
  while (!groups_.empty() && groups_.front().done_here && groups_.front().done_there) {
    finish(sends_, groups_.front().sends_end, DUET_OK);
    groups_.pop_front();
  }
  if (end_at_grace_ && std::none_of(groups_.begin(), groups_.end(), [](const Group& group) {
        return group.done_there && !group.done_here;
      })) {
    end(*std::exchange(end_at_grace_, std::nullopt));
  }
}

void Link::finish(Stream& in, std::uint64_t to, duet_status status) {
  for (; in.first < to; ++in.first) {
    complete(in.operations.front(), status);
    in.operations.pop_front();
  }
}

void Link::complete(Operation& operation, duet_status status) {
  if (std::exchange(operation.ended, true)) return;
  done_.push_back({operation.id, status, status == DUET_OK ? operation.bytes : 0});
}

bool Link::recalled(Stream& in, std::uint64_t index) {
  if (index < in.launched) return false;
  return index >= in.announced || !recall_ || recall_(in.send, index);
}

void Link::withdraw(Operation& operation, bool send, duet_status status, const std::string& what) {
  last_error_ = failure_of(status, describe(operation, send) + " " + what);
  complete(operation, status);
  if (std::exchange(halted_, true)) return;
  Frame frame;
  frame.kind = FrameKind::kHalt;
  if (phase_ == Phase::kOpening || phase_ == Phase::kReady) actions_.emplace_back(Say{frame});
}

void Link::end(const Failure& failure) {
  failure_ = failure;
  last_error_ = failure;
  const bool knows_peer = phase_ == Phase::kOpening || phase_ == Phase::kReady;
  phase_ = has_communicator_ ? Phase::kEnding : Phase::kEnded;
  // What the device is done with, and what it never had, goes back now; the rest with released().
  for (const Group& group : groups_) {
    if (group.done_here) finish(sends_, group.sends_end, failure.status);
  }
  for (const bool send : {true, false}) {
    Stream& in = stream(send);
    for (std::uint64_t i = std::max(in.first, in.launched); i < in.posted(); ++i) {
      if (!in.at(i).ended && recalled(in, i)) complete(in.at(i), failure.status);
    }
  }
  if (knows_peer) {
    Frame frame;
    frame.kind = FrameKind::kGoodbye;
    frame.first = static_cast<std::uint64_t>(failure.status);
    actions_.emplace_back(Say{frame});
  }
  actions_.emplace_back(HangUp{});
  if (has_communicator_) actions_.emplace_back(Release{});
}

bool Link::idle() const {
  return phase_ == Phase::kReady && groups_launched_ > 0 && groups_.empty() && sends_.operations.empty() &&
         receives_.operations.empty() && sends_.theirs.empty() && receives_.theirs.empty();
}

bool Link::lends() const {
  if (phase_ != Phase::kEnding) return false;
  const auto lent = [](const Operation& operation) { return !operation.ended; };
  return std::any_of(sends_.operations.begin(), sends_.operations.end(), lent) ||
         std::any_of(receives_.operations.begin(), receives_.operations.end(), lent);
}

std::vector<Link::Action> Link::take_actions() {
  return std::exchange(actions_, {});
}

std::vector<Link::Done> Link::take_done() {
  return std::exchange(done_, {});
}

}  // namespace duet::nccl
