#pragma once

#include <cstddef>
#include <cstdint>

#include "control/messages.h"
#include "duet/options.h"
#include "exchange/replica.h"
#include "membership/members.h"
#include "telemetry/sketch.h"
#include "telemetry/tick_tree.h"
#include "worker/postbox.h"
#include "worker/shared.h"

namespace duet::worker {

/// At every common wall-clock tick: sketches the position x + d, a few blocks at a time, and sends it on its
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

  /// True: there is more to do at once.
  bool advance(double now);
  double next_deadline(double now) const;

 private:
  std::uint64_t current_tick() const;
  double patience() const;
  bool sample();
  void publish();

  exchange::Replica& replica_;
  const Options& options_;
  Postbox& postbox_;
  Shared& shared_;
  telemetry::TickTree tree_;
  telemetry::Sketcher sketcher_;
  std::uint64_t last_tick_ = 0;
  std::uint64_t meetings_ = 0;
  bool paused_ = true;
  bool sampling_ = false;
  std::size_t next_block_ = 0;
};

/// Adds one block's position to a sketch; behind the gate. Statistics are no part of the position.
void sketch_block(const exchange::Block& block, telemetry::Sketcher& sketcher);

/// The sketch of the replica's position x + d, block by block behind the gate, which it waits for (at most
/// `patience` seconds a block). False: the trainer did not let go of the gate.
bool sketch_position(exchange::Replica& replica, telemetry::Sketcher& sketcher, std::size_t& next_block,
                     std::size_t block_limit, double patience);

/// The projection's seed, the same on all members.
std::uint64_t sketch_seed(const Options& options);

}  // namespace duet::worker
