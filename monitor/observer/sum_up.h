#pragma once

#include "duet/observer/snapshot.h"

namespace duet::observer {

/// What follows from the workers as they stand: the run's rates, loss and members, and its edges' targets.
/// Pure.
void sum_up(Snapshot& snapshot);

}  // namespace duet::observer
