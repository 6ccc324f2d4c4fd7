#pragma once

#include <string>

#include "duet/observer/snapshot.h"
#include "duet/observer/source.h"

namespace duet::top {

/// A snapshot as one JSON object, for scripts (docs/duet-top.md names its fields). What is not known is null,
/// what is not finite the text "NaN", "Infinity" or "-Infinity". Pure.
std::string json_report(const observer::Snapshot& snapshot, const observer::SourceStatus& status);

}  // namespace duet::top
