#pragma once

#include <cstddef>
#include <vector>

#include "simulation/objective.h"
#include "simulation/scenario.h"

namespace duet::simulation {

/// Workers that train by SGD with momentum and mix, by meetings (a2cid2, adpsgd) or in their steps
/// (allreduce, dpsgd, local-sgd). The algorithms are the worker's own.
struct TrainingOptions : Scenario {
  ObjectiveOptions objective;
  double rate = 1.0;  ///< local-sgd: averages per step; meetings have theirs in the topology
  double learning_rate = 0.1;
  double momentum = 0.9;
  double length = 500.0;      ///< virtual seconds: steps of a worker that is no straggler
  double record_every = 5.0;  ///< seconds
  double target_loss = 0.0;   ///< when the mean model's loss first is at most this is noted; 0: never
  bool stop_at_target = false;
};

struct TrainingPoint {
  double seconds = 0.0;
  double steps = 0.0;  ///< per worker of the start: who died makes none any more
  /// Per living worker, each when it ends; of step algorithms: averages, or rounds of gossip.
  double meetings = 0.0;
  double consensus = 0.0;  ///< the consensus distance
  double loss = 0.0;       ///< at the mean of x + d + ½z
};

struct TrainingResult {
  bool diverged = false;  ///< the consensus distance grew beyond 10⁴, or is no number
  int members = 0;        ///< who lived at the end
  std::vector<TrainingPoint> curve;
  double seconds_to_target = -1.0;  ///< −1: not reached
  /// Of the second half of the curve: root mean square of the consensus distance, mean of the loss.
  double consensus() const;
  double loss() const;
};

/// Throws ConfigurationError: an algorithm, objective or condition that cannot be; options of meetings for an
/// algorithm that has none.
TrainingResult run_training(const Topology& topology, const TrainingOptions& options,
                            const Progress& progress = {});

}  // namespace duet::simulation
