#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/messages.h"
#include "duet/options.h"
#include "exchange/replica.h"
#include "membership/members.h"
#include "telemetry/tick_schedule.h"
#include "telemetry/tick_tree.h"
#include "worker/position_sketch.h"
#include "worker/postbox.h"
#include "worker/shared.h"

namespace duet::worker {

/// At common wall-clock ticks: sketches the position x + d, a few blocks at a time, and sends it on its
/// way over the tree; publishes what comes down as RunStatus. Communication thread only.
class TickDriver {
 public:
  TickDriver(exchange::Replica& replica, const Options& options, Postbox& postbox, Shared& shared);

  void set_tree(const membership::Tree& tree, std::uint64_t live_hash);
  void set_meetings(std::uint64_t meetings) { meetings_ = meetings; }
  /// While a tree pass owns x there is nothing to sketch; a tick that comes up in between is left out.
  void pause(bool paused);
  void on_up(double now, int from, const control::TickUp& up);
  void on_down(double now, int from, const control::TickDown& down) { tree_.on_down(now, from, down); }

  /// Those that completed since the last call, oldest first; of more than kMostKept the newest.
  std::vector<RunStatus> take_completed();
  std::uint64_t broken() const { return tree_.broken(); }
  /// This worker's, when it was sketched last.
  bool parameters_finite() const { return finite_; }

  /// True: there is more to do at once.
  bool advance(double now);
  double next_deadline(double now) const;

 private:
  std::uint64_t current_tick() const;
  void begin_sample(double now);
  double patience() const;
  static constexpr std::size_t kMostKept = 64;
  bool sample();
  void publish();

  const Options& options_;
  Postbox& postbox_;
  Shared& shared_;
  telemetry::TickTree tree_;
  PositionSketch sketch_;
  telemetry::TickSchedule schedule_;
  std::uint64_t last_tick_ = 0;
  std::uint64_t sampled_tick_ = 0;
  double began_ = 0.0;  // that sample
  std::uint64_t meetings_ = 0;
  std::vector<RunStatus> completed_;
  std::uint64_t told_broken_ = 0;
  bool finite_ = true;
  bool paused_ = true;
  bool sampling_ = false;
};

}  // namespace duet::worker
