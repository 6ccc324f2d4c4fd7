#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "duet/plugin/transport.h"
#include "failure.h"
#include "frame.h"

namespace duet::nccl {

/// One connection, as a state machine: what happened and what time it is goes in, what to do comes out. No
/// sockets, no NCCL, no clock: context.cc carries out what it decides.
///
/// NCCL runs the operations of a communicator in order and blocks the device until the counterpart runs over
/// there, so nothing is launched here that is not promised there: both ends tell each other what is posted,
/// and one of them, the *leader* (the accepting side), puts sends and receives that have their counterparts
/// into groups, launches each and says so; the other launches the same.
///
/// Who owns a buffer: an operation's memory is the link's from post() to its completion. Before it is
/// launched, it may be given back at any time. After, only when its group is done on this side, or when the
/// communicator is released: an abort that is still running may touch the memory. In a pair in one process
/// the leader also launches the other end's operations, so there what was announced counts as launched unless
/// it can be recalled.
class Link {
 public:
  enum class Phase {
    kDialing,  ///< until the two ends know each other
    kOpening,  ///< until the communicator is there
    kReady,
    kEnding,  ///< failed or closed; the communicator is being released, launched operations wait for that
    kEnded,
  };

  struct Piece {
    bool send = false;
    std::uint64_t index = 0;  ///< in its stream
    void* data = nullptr;
    std::uint64_t bytes = 0;
  };
  // What to do, in this order.
  struct Say {
    Frame frame;
  };
  struct Announce {
    Piece piece;  ///< kPostedSend or kPostedReceive
  };
  struct OpenCommunicator {};
  struct Launch {
    std::vector<Piece> pieces;
  };
  struct Release {};  ///< abort the communicator; then released()
  struct HangUp {};   ///< close the line, after what was said
  using Action = std::variant<Say, Announce, OpenCommunicator, Launch, Release, HangUp>;

  struct Done {
    std::uint64_t id = 0;
    duet_status status = DUET_OK;
    std::uint64_t bytes = 0;
  };

  /// deadline: nanoseconds until which it must be ready; 0: none. label: names the peer in every message.
  Link(bool leader, std::uint64_t deadline, std::string label);
  /// Takes an announced operation back from a leader in this process: false when it has launched it already.
  using Recall = std::function<bool(bool send, std::uint64_t index)>;
  void set_recall(Recall recall) { recall_ = std::move(recall); }

  // ---- from the host ----
  struct Post {
    std::uint64_t id = 0;
    bool send = false;
    void* data = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t deadline = 0;  ///< 0: none
    bool ready = true;           ///< false: its memory is not valid yet; memory_ready() will say when
  };
  /// DUET_OK, DUET_AGAIN (too many are waiting), or the status of the link's failure.
  duet_status post(const Post& post);
  duet_status cancel(std::uint64_t id);
  void close();

  // ---- from the world ----
  void met();  ///< hello was believed, or welcome heard
  void on_frame(const Frame& frame, std::uint64_t now);
  void line_lost(const std::string& why, std::uint64_t now);
  void refused(const Failure& failure);  ///< it cannot come about
  void memory_ready(std::uint64_t id);
  void communicator_ready();
  void communicator_failed(const Failure& failure);
  void groups_finished(std::uint64_t count);  ///< in all, on this side
  void released();
  void evict(int communicators);  ///< its communicator is wanted elsewhere
  void tick(std::uint64_t now);
  std::uint64_t next_deadline() const;  ///< 0: none

  // ---- what came of it ----
  Phase phase() const { return phase_; }
  bool failed() const { return failure_.has_value(); }
  const Failure& failure() const { return *failure_; }
  const std::optional<Failure>& last_error() const { return last_error_; }
  bool closed() const { return closed_; }
  /// Nothing is posted on either side, and something was: its communicator may go to somebody else.
  bool idle() const;
  /// Operations that only released() can end.
  bool lends() const;
  bool launched() const { return !groups_.empty(); }
  const std::string& label() const { return label_; }
  std::vector<Action> take_actions();
  std::vector<Done> take_done();

 private:
  struct Operation {
    std::uint64_t id = 0;
    void* data = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t deadline = 0;
    bool ready = true;
    bool ended = false;  ///< completed already; keeps its place in the stream
  };
  /// One direction. Indices count from the connection's beginning.
  struct Stream {
    bool send = false;
    std::deque<Operation> operations;  ///< from `first` on
    std::uint64_t first = 0;
    std::uint64_t launched = 0;        ///< those before are in groups
    std::uint64_t announced = 0;       ///< those before the peer knows of
    std::deque<std::uint64_t> theirs;  ///< bytes of the peer's counterparts, from `launched` on
    std::uint64_t posted() const { return first + operations.size(); }
    Operation& at(std::uint64_t index) { return operations[index - first]; }
  };
  struct Group {
    std::uint64_t index = 0;  ///< counts from 1
    std::uint64_t sends_end = 0, receives_end = 0;
    bool done_here = false, done_there = false;
  };

  Stream& stream(bool send) { return send ? sends_ : receives_; }
  const char* name(bool send) const { return send ? "a send" : "a receive"; }
  std::string describe(const Operation& operation, bool send) const;
  Failure failure_of(duet_status status, const std::string& what, int system_error = 0) const;

  void on_posted(Stream& stream, const Frame& frame);
  void on_launch(const Frame& frame);
  void on_done(const Frame& frame);
  void on_end(const Failure& failure, std::uint64_t now);
  void broken_protocol(const char* what);

  void announce();
  void compose();
  bool sizes_agree();
  void launch(std::uint64_t sends, std::uint64_t receives);
  void settle_groups();
  void finish(Stream& stream, std::uint64_t end, duet_status status);
  /// Whether nobody has launched it, nor will.
  bool recalled(Stream& in, std::uint64_t index);
  void withdraw(Operation& operation, bool send, duet_status status, const std::string& what);
  void end(const Failure& failure);
  void complete(Operation& operation, duet_status status);

  const bool leader_;
  Recall recall_;
  std::string label_;
  std::uint64_t deadline_;
  Phase phase_ = Phase::kDialing;
  bool closed_ = false;
  bool halted_ = false;
  bool has_communicator_ = false;
  std::optional<Failure> failure_;
  std::optional<Failure> last_error_;
  std::optional<Failure> end_at_grace_;  ///< the peer has ended; what it completed may still be arriving
  std::uint64_t grace_ = 0;
  Stream sends_, receives_;
  std::deque<Group> groups_;
  std::uint64_t groups_launched_ = 0;
  std::uint64_t groups_finished_ = 0;
  std::vector<Action> actions_;
  std::vector<Done> done_;
};

}  // namespace duet::nccl
