#include "support/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

namespace duet {
namespace {

LogLevel level_from_environment() {
  const char* value = std::getenv("DUET_LOG");
  const std::string_view text = value == nullptr ? "" : value;
  if (text == "debug") return LogLevel::kDebug;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// One for the process, never destroyed: threads may log until the very end.
struct State {
  std::atomic<LogLevel> level{level_from_environment()};
  std::mutex mutex;  // guards sink
  std::function<void(LogLevel, std::string_view)> sink;
  spdlog::logger console{"duet", std::make_shared<spdlog::sinks::stderr_sink_mt>()};

  State() {
    console.set_pattern("%H:%M:%S.%e duet %l: %v");
    console.set_level(spdlog::level::trace);
    console.flush_on(spdlog::level::trace);
  }
};

State& state() {
  static State* const instance = new State;
  return *instance;
}

}  // namespace

void set_log_sink(std::function<void(LogLevel, std::string_view)> sink) {
  const std::lock_guard lock(state().mutex);
  state().sink = std::move(sink);
}

void set_log_level(LogLevel level) {
  state().level.store(level, std::memory_order_relaxed);
}

namespace support {

bool log_enabled(LogLevel level) {
  return level >= state().level.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view text) {
  if (!log_enabled(level)) return;
  const std::lock_guard lock(state().mutex);
  if (state().sink) {
    state().sink(level, text);
  } else {
    state().console.log(to_spdlog(level), text);
  }
}

}  // namespace support
}  // namespace duet
