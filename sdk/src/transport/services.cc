#include "transport/services.h"

#include <ctime>
#include <mutex>

#include "support/log.h"

namespace duet::transport {
namespace {

// A plugin that makes up names as it goes must not eat the process's memory.
constexpr std::size_t kMostCounters = 1024;

struct Counters {
  std::mutex mutex;
  std::map<std::string, std::uint64_t, std::less<>> values;
};

/// Never destroyed: threads of a plugin may count until the very end.
Counters& all_counters() {
  static Counters* const instance = new Counters;
  return *instance;
}

void log_service(int32_t level, const char* text) noexcept try {
  if (text == nullptr) return;
  switch (level) {
    case DUET_LOG_DEBUG:
      return support::log(LogLevel::kDebug, text);
    case DUET_LOG_INFO:
      return support::log(LogLevel::kInfo, text);
    case DUET_LOG_WARNING:
      return support::log(LogLevel::kWarning, text);
    default:
      return support::log(LogLevel::kError, text);
  }
} catch (...) {
  // A sink that throws must not unwind through a plugin written in C.
}

uint64_t clock_service() noexcept {
  return now_ns();
}

void count_service(const char* name, uint64_t increment) noexcept try {
  if (name == nullptr) return;
  Counters& all = all_counters();
  const std::lock_guard lock(all.mutex);
  auto found = all.values.find(name);
  if (found == all.values.end()) {
    if (all.values.size() >= kMostCounters) return;
    found = all.values.emplace(name, 0).first;
  }
  found->second += increment;
} catch (...) {
  // Out of memory: a lost count is better than an exception in a C frame.
}

}  // namespace

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

const duet_services& host_services() {
  static const duet_services services{.struct_size = sizeof(duet_services),
                                      .abi_major = DUET_TRANSPORT_ABI_MAJOR,
                                      .abi_minor = DUET_TRANSPORT_ABI_MINOR,
                                      .reserved = 0,
                                      .log = log_service,
                                      .now_ns = clock_service,
                                      .count = count_service};
  return services;
}

std::map<std::string, std::uint64_t> counters() {
  Counters& all = all_counters();
  const std::lock_guard lock(all.mutex);
  return {all.values.begin(), all.values.end()};
}

const char* status_name(duet_status status) {
  switch (status) {
    case DUET_OK:
      return "ok";
    case DUET_AGAIN:
      return "not now";
    case DUET_TIMED_OUT:
      return "timed out";
    case DUET_CANCELLED:
      return "cancelled";
    case DUET_PEER_LOST:
      return "peer lost";
    case DUET_MISUSE:
      return "misuse";
    case DUET_BROKEN:
      return "broken";
    case DUET_DEVICE_ERROR:
      return "device error";
    case DUET_NOT_SUPPORTED:
      return "not supported";
    default:
      return "unknown status";
  }
}

}  // namespace duet::transport
