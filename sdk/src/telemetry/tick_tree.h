#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/messages.h"
#include "duet/status.h"
#include "membership/members.h"

namespace duet::telemetry {

/// The sketches' way up and down the members' tree, one wave per wall-clock tick: pure, time handed in (seconds,
/// monotonic). A tick whose parts do not come in time is dropped whole and counted: a missing value, never a wrong one.
class TickTree {
 public:
  explicit TickTree(double patience);  ///< seconds that a tick may take
  /// New tree (members changed): ticks under way are dropped. live_hash: Members::live_hash(); messages that were
  /// sent under another one are ignored.
  void set_tree(const membership::Tree& tree, int self, std::uint64_t live_hash);
  /// This worker's own part of a tick: tick ≥ 1, counts, loss and the raw sketch; the rest is filled in here.
  void on_own(double now, control::TickSums own);
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
  std::uint64_t broken() const;

 private:
  // (the implementation's)
};

}  // namespace duet::telemetry
