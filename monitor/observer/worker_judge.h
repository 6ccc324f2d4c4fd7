#pragma once

#include <optional>
#include <vector>

#include "duet/observer/diagnosis.h"
#include "duet/observer/snapshot.h"

namespace duet::observer {

/// What is known of a worker beside its numbers.
struct WorkerHints {
  bool said_finished = false;  ///< by itself, or by the roster
  bool said_gone = false;      ///< by the roster, of this very incarnation
  double mean_step = 0.0;      ///< seconds, when it last made steps; 0: not known
};

/// The median of steps per second over those that are heard and make steps; nullopt: nobody does.
std::optional<double> median_pace(const Snapshot& snapshot);

/// The state of a worker at snapshot.time. Pure: writes nothing.
WorkerState judge(const Snapshot& snapshot, const Worker& worker, const WorkerHints& hints,
                  std::optional<double> median_pace, const DiagnosisLimits& limits);

}  // namespace duet::observer
