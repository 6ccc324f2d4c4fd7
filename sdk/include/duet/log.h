#pragma once

#include <functional>
#include <string_view>

#include "duet/export.h"

namespace duet {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Where Duet's messages go: standard error by default, where messages that nobody reads (a full pipe) are
/// dropped and counted rather than waited for. Thread-safe; the sink may be called from any thread, by
/// several at once, and must not block: the communication thread speaks through it, too. What it throws is
/// dropped with the message. One that was replaced may still be in a call for a moment. An empty sink
/// restores the default.
DUET_API void set_log_sink(std::function<void(LogLevel, std::string_view)> sink);
/// Says something in the same way; for what is built on Duet and should be heard where Duet is. Thread-safe.
DUET_API void write_log(LogLevel level, std::string_view message);
/// Messages below this level are dropped (default kInfo, or DUET_LOG=debug|info|warning|error).
DUET_API void set_log_level(LogLevel level);

}  // namespace duet
