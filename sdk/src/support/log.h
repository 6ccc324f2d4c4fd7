#pragma once

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <utility>

#include "duet/log.h"

/// Internal logging. Formats with fmt; goes to the sink of duet/log.h. Thread-safe.
namespace duet::support {

void log(LogLevel level, std::string_view text);
bool log_enabled(LogLevel level);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug)) log(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace duet::support
