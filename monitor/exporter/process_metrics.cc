#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "family.h"
#include "worker_metrics.h"

namespace duet::exporter {
namespace {

/// Fields of /proc/self/stat, counted from 1 as in proc(5); the command in field 2 may hold anything.
struct Stat {
  double threads = 0.0;
  double start_ticks = 0.0;
  double virtual_bytes = 0.0;
  double resident_pages = 0.0;
  bool read = false;
};

Stat read_stat() {
  Stat stat;
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return stat;
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos) return stat;
  std::istringstream fields(line.substr(end + 1));
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 20) stat.threads = std::strtod(field.c_str(), nullptr);
    if (number == 22) stat.start_ticks = std::strtod(field.c_str(), nullptr);
    if (number == 23) stat.virtual_bytes = std::strtod(field.c_str(), nullptr);
    if (number == 24) stat.resident_pages = std::strtod(field.c_str(), nullptr);
  }
  stat.read = true;
  return stat;
}

double boot_time() {
  std::ifstream file("/proc/stat");
  std::string name;
  double value = 0.0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    if (words >> name && name == "btime" && words >> value) return value;
  }
  return 0.0;
}

double open_descriptors() {
  std::error_code ignored;
  double count = 0.0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", ignored);
       entry != std::filesystem::directory_iterator(); entry.increment(ignored))
    ++count;
  return count;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

std::vector<prometheus::MetricFamily> process_metrics() {
  std::vector<prometheus::MetricFamily> all;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    all.push_back(counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                          seconds(usage.ru_utime) + seconds(usage.ru_stime)));
  }
  rlimit limit{};
  all.push_back(gauge("process_open_fds", "Number of open file descriptors.", open_descriptors()));
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    all.push_back(gauge("process_max_fds", "Maximum number of open file descriptors.",
                        static_cast<double>(limit.rlim_cur)));
  }
  if (const Stat stat = read_stat(); stat.read) {
    all.push_back(gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", stat.virtual_bytes));
    all.push_back(gauge("process_resident_memory_bytes", "Resident memory size in bytes.",
                        stat.resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE))));
    all.push_back(gauge("process_threads", "Number of OS threads in the process.", stat.threads));
    all.push_back(gauge("process_start_time_seconds",
                        "Start time of the process since unix epoch in seconds.",
                        boot_time() + stat.start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK))));
  }
  return all;
}

}  // namespace duet::exporter
