#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "control/messages.h"
#include "duet/status.h"
#include "membership/members.h"

namespace duet::telemetry {

/// The sketches' way up and down the members' tree, one wave per wall-clock tick: pure, time handed in
/// (seconds, monotonic). Every member adds its own part to its children's and sends the sum up; the root
/// sends the total down. A tick whose parts do not come in time is dropped whole and counted: a missing
/// value, never a wrong one. Several ticks may be under way; they complete in ascending order, and one that
/// is overtaken is dropped. Not thread-safe.
///
/// The consensus distance is √(Σ‖s_i − s̄‖²/n) over the sketches s_i. Not computed as Σ‖s_i‖²/n − ‖s̄‖², which
/// with ‖s_i‖ = 10⁴ and a distance of 10⁻³ is 10⁻⁶ as the difference of two numbers near 10⁸, known to 10⁻⁸
/// each at best. Instead parts carry n, S = Σ s_i and D = Σ‖s_i − S/n‖², and two of them merge to
///   n = n_a + n_b,  S = S_a + S_b,  D = D_a + D_b + ‖S_a/n_a − S_b/n_b‖² · n_a n_b / n      (Chan, Golub,
///   LeVeque 1979),
/// where only means are subtracted: in the example an error of 10⁻¹² in a distance of 10⁻³.
class TickTree {
 public:
  explicit TickTree(double patience);  ///< seconds that a tick may take
  /// New tree (members changed): ticks under way are dropped. live_hash: Members::live_hash(); messages that
  /// were sent under another one are ignored.
  void set_tree(const membership::Tree& tree, int self, std::uint64_t live_hash);
  /// This worker's own part of a tick: tick ≥ 1, counts, loss and the raw sketch; the rest is filled in here.
  /// A sketch that is not finite makes this tick's distances NaN on all workers.
  void on_own(double now, control::TickSums own);
  /// Messages that do not fit (from elsewhere in the tree, of another tree, a second time, of a tick that is
  /// over, or malformed) are ignored; what they should have said is then missing.
  void on_up(double now, int from, const control::TickUp& up);
  void on_down(double now, int from, const control::TickDown& down);
  void on_time(double now);

  struct Outgoing {
    int peer = 0;
    control::Body body;
  };
  std::vector<Outgoing> take_outgoing();
  /// Ticks that completed since the last call, oldest first.
  std::vector<RunStatus> take_completed();
  /// Ticks that this worker knew of and that came to nothing.
  std::uint64_t broken() const { return broken_; }

 private:
  struct Wave {
    double deadline = 0.0;
    control::TickSums sums;   // of all parts so far
    std::vector<double> own;  // this worker's sketch; empty: not there yet
    std::set<int> children;   // whose part is in
    bool sent_up = false;     // complete below; waits for the total
  };
  using Waves = std::map<std::uint64_t, Wave>;

  bool fits(const control::TickSums& sums) const;
  Wave* find_or_begin(double now, std::uint64_t tick);
  void on_part(std::uint64_t tick, Wave& wave);
  void finish(std::uint64_t tick, const control::TickSums& total);
  void drop(Waves::iterator wave);
  void close(std::uint64_t tick);

  double patience_;
  membership::Tree tree_;
  int self_ = 0;
  std::uint64_t live_hash_ = 0;
  Waves waves_;
  std::set<std::uint64_t> closed_;  // completed or dropped, above closed_below_
  std::uint64_t closed_below_ = 0;  // all up to this one are over
  std::uint64_t broken_ = 0;
  std::vector<Outgoing> outgoing_;
  std::vector<RunStatus> completed_;
};

}  // namespace duet::telemetry
