#pragma once

#include "command_line.h"
#include "duet/observer/observer.h"

namespace duet::top {

/// Prints one picture, or one JSON object, to standard output. Returns the exit code.
int print_once(observer::Observer& observer, const CommandLine& options);

}  // namespace duet::top
