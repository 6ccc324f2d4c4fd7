#include "support/log.h"

#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <climits>
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

using Sink = std::function<void(LogLevel, std::string_view)>;

constexpr std::size_t kLongestLine = PIPE_BUF - 256;

/// One for the process, never destroyed: threads may log until the very end.
struct State {
  std::atomic<LogLevel> level{level_from_environment()};
  std::mutex mutex;  // guards sink
  std::shared_ptr<const Sink> sink;
  spdlog::logger console{"duet", std::make_shared<spdlog::sinks::stderr_sink_mt>()};

  std::uint64_t dropped = 0;  // guarded by mutex

  State() {
    console.set_pattern("%H:%M:%S.%e duet %l: %v");
    console.set_level(spdlog::level::trace);
    console.flush_on(spdlog::level::trace);
  }
};

/// Whether a line can be written at once. A reader that has stopped reading (a pager, a full pipe) must not
/// hold up the thread that others know to be alive by its heartbeats.
bool somebody_reads() {
  pollfd error{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&error, 1, 0) != 0;
}

State& state() {
  static State* const instance = new State;
  return *instance;
}

}  // namespace

void set_log_sink(std::function<void(LogLevel, std::string_view)> sink) {
  auto shared = sink ? std::make_shared<const Sink>(std::move(sink)) : nullptr;
  const std::lock_guard lock(state().mutex);
  state().sink.swap(shared);
}

void set_log_level(LogLevel level) {
  state().level.store(level, std::memory_order_relaxed);
}

void write_log(LogLevel level, std::string_view message) {
  support::log(level, message);
}

namespace support {

bool log_enabled(LogLevel level) {
  return level >= state().level.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view text) {
  if (!log_enabled(level)) return;
  State& log = state();
  std::unique_lock lock(log.mutex);
  if (const auto sink = log.sink) {
    // It may take locks of its own, log, or replace itself, none of which goes together with this lock; and
    // messages come from where no exception may.
    lock.unlock();
    try {
      (*sink)(level, text);
    } catch (...) {
    }
  } else if (!somebody_reads()) {
    ++log.dropped;
  } else {
    if (log.dropped > 0) log.console.warn("{} messages were dropped: nobody read them", log.dropped);
    log.dropped = 0;
    // A pipe that has room has room for this much.
    log.console.log(to_spdlog(level), text.substr(0, kLongestLine));
  }
}

}  // namespace support
}  // namespace duet
