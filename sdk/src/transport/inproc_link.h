#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "duet/plugin/transport.h"

/// What two in-process contexts share. There are three kinds of lock, always taken in this order:
///   1. the registry's (one per process), for connect, accept, close and a connection that ran out of time:
///   rare;
///   2. a link's (one per connection), for posts, cancels and expiries, and held during the copy of a
///   message;
///   3. a mailbox's (one per context), for handing over completions: held for a few instructions.
/// One mutex for the whole process would be simpler, but the copies of all pairs of workers would queue
/// behind it; with a lock per pair the only one who waits for a copy is the peer that it is for.
namespace duet::transport::inproc {

struct Failure {
  duet_status status = DUET_OK;
  std::string text;
};

/// Where a context is told what happened: completions, and that a connection changed its state. Written by
/// any thread, emptied by the context's own.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// errno of the failure to make the descriptor, or 0.
  int system_error() const { return system_error_; }
  int descriptor() const { return descriptor_; }

  void complete(std::uint64_t operation, duet_status status, std::uint64_t bytes);
  void state_changed();

  /// Moves what is there to the back of `completions`. True: a connection changed its state.
  bool take(std::deque<duet_completion>& completions);
  /// True: nothing is here, and the descriptor becomes readable when something comes.
  bool arm();

 private:
  void wake();  // with mutex_ held

  int descriptor_ = -1;
  int system_error_ = 0;
  std::mutex mutex_;
  std::vector<duet_completion> completions_;
  bool state_changed_ = false;
  bool armed_ = false;      // the owner sleeps, or is about to: the next event must reach the descriptor
  bool signalled_ = false;  // the descriptor is readable
};

/// One connection, seen by both ends. End 0 connected, end 1 accepted.
class Link {
 public:
  struct Operation {
    std::uint64_t id = 0;
    void* data = nullptr;
    std::uint64_t bytes = 0;
  };

  /// `end` joins; the link is ready once both have. False: that end is taken.
  bool join(int end, std::shared_ptr<Mailbox> mailbox, std::string peer);
  /// Serves what was posted while the second end was not there. Apart from join(), which runs under the
  /// registry's lock.
  void start();
  /// DUET_CONNECTION_*.
  int state(int end, Failure* failure);
  Failure last_error(int end);

  /// DUET_OK, or why the link takes nothing more.
  duet_status post(int end, bool send, const Operation& operation, Failure* failure);
  /// Ends an operation that still waits for its counterpart; one that does not has its completion on the way.
  void end_early(int end, std::uint64_t operation, duet_status status, std::string_view text);

  /// This end leaves: its operations are cancelled, and the other end's are over, because its peer did `what`
  /// ("closed the connection"). No buffer of this end is touched after this.
  void close(int end, std::string_view what);
  /// A link that was never ready fails for whoever has joined.
  void fail_pending(duet_status status, std::string_view what);

 private:
  struct End {
    std::shared_ptr<Mailbox> mailbox;
    std::string peer;
    std::deque<Operation> sends, receives;
    bool closed = false;
    Failure failed;      // of the connection
    Failure last_error;  // of an operation
  };

  // All with mutex_ held.
  bool ready() const { return ends_[0].mailbox != nullptr && ends_[1].mailbox != nullptr; }
  void match(int sender);
  void drain(End& end, duet_status status);
  void fail(End& end, duet_status status, std::string_view what);

  std::mutex mutex_;
  std::array<End, 2> ends_;
};

/// Who is where, and which links wait for their second end.
class Registry {
 public:
  static Registry& instance();

  /// A new endpoint's number, never used twice in a process.
  std::uint64_t open();
  /// From now on nobody reaches the endpoint; links that wait for it to accept fail.
  void close(std::uint64_t endpoint);

  /// The link of `session` at the accepting endpoint, made by the end that comes first.
  std::shared_ptr<Link> join(std::uint64_t accepting_endpoint, std::uint64_t session, int end,
                             const std::shared_ptr<Mailbox>& mailbox, const std::string& peer,
                             Failure* failure);
  /// Closes one end; a link that still waits is forgotten.
  void leave(std::uint64_t accepting_endpoint, std::uint64_t session, const std::shared_ptr<Link>& link,
             int end, std::string_view what);
  /// A link that still waits for its second end is out of time and forgotten. False: it does not wait any
  /// more.
  bool expire(std::uint64_t accepting_endpoint, std::uint64_t session, const std::shared_ptr<Link>& link,
              std::string_view what);

  /// Distinguishes this process (and this copy of the code in it) from all others.
  std::uint64_t process() const { return process_; }

 private:
  Registry();
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // endpoint, session

  std::mutex mutex_;
  std::uint64_t process_ = 0;
  std::uint64_t next_endpoint_ = 1;
  std::set<std::uint64_t> endpoints_;
  std::map<Key, std::shared_ptr<Link>> waiting_;
};

}  // namespace duet::transport::inproc
