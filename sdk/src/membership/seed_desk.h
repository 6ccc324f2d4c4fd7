#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/messages.h"
#include "membership/roster.h"

/// Where workers ask rank 0 to join: pure, time handed in (seconds, monotonic). Not thread-safe.
namespace duet::membership {

/// What a member is told when the roster is complete. Texts that are the same for all are left out; the
/// receiver fills in its own (complete_from()).
control::Joined joined_message(const Roster& roster);
/// The roster from such a message, as `mine` sees it. Throws MembershipError when it is none that `mine` is
/// part of.
Roster complete_from(const control::Joined& joined, const Entry& mine);
/// What to answer to a Join when the roster is complete.
control::Body late_answer(const Roster& roster, const control::Header& header, const Entry& entry);

class SeedDesk {
 public:
  /// A joiner asks again at least this often.
  static constexpr double kRepeat = 0.5;
  /// Whoever has not asked for so long has gone away: its rank is free again.
  static constexpr double kSilence = 3.0;

  SeedDesk(const Entry& mine, const std::string& run_id);

  struct Answer {
    std::string route;
    Incarnation to;
    control::Body body;
  };
  /// Someone asks to join, and can be answered through `route`.
  std::vector<Answer> on_join(double now, const std::string& route, const control::Header& header,
                              const Entry& entry);
  std::vector<Answer> on_time(double now);
  /// Gives up waiting: tells everyone who waits.
  std::vector<Answer> time_out(const std::string& reason);

  bool complete() const { return complete_; }
  /// Why nobody joins. Empty: nothing is wrong.
  const std::string& refusal() const { return refusal_; }
  /// Every rank has been told of the refusal.
  bool everyone_told() const;
  std::vector<int> missing() const;
  const Roster& roster() const { return roster_; }

 private:
  struct Asker {
    Entry entry;
    std::string route;
    double heard = 0.0;
  };
  struct Place {
    std::optional<Asker> holder;
    std::optional<Asker> rival;  ///< claims the same rank; decided by who falls silent
  };

  void told(int rank);
  void drop_silent(double now);
  std::vector<Answer> refuse(const std::string& reason, bool timed_out);
  std::vector<Answer> try_complete();

  Entry mine_;
  Roster roster_;
  std::map<int, Place> places_;
  std::set<int> told_;
  std::string refusal_;
  bool complete_ = false;
};

}  // namespace duet::membership
