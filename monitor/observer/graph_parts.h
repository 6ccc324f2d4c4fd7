#pragma once

#include <cstddef>
#include <vector>

#include "duet/observer/diagnosis.h"
#include "duet/observer/snapshot.h"

namespace duet::observer {

/// Two live neighbours that step, and have not met for as long as DiagnosisLimits say. Pure.
bool is_dead(const Snapshot& snapshot, const Edge& edge, const DiagnosisLimits& limits);

/// The parts into which the live workers fall, when they hang together by the edges of the graph that are not
/// dead; the largest first (of two equal ones that with the lowest rank), ranks ascending. Pure.
std::vector<std::vector<int>> live_parts(const Snapshot& snapshot, const DiagnosisLimits& limits);

}  // namespace duet::observer
