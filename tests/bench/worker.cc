// Whole workers, tiny ones: how many meetings per second, how soon the first one, what an idle worker costs.
// Run it under duet-run; the lowest rank prints one line of JSON. Built twice, with and without LibTorch in
// the process.
//
//   bench_worker rate SECONDS    always budget, no gradients
//   bench_worker start SECONDS   a step every millisecond; DUET_BENCH_START: wall-clock seconds when the run
//   was started bench_worker idle SECONDS    joined, the trainer sleeping

#include <duet/duet.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#ifdef DUET_BENCH_TORCH
#include <torch/torch.h>
#endif

namespace {

constexpr std::size_t kParameters = 1000;

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

double private_megabytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  std::string word;
  double kilobytes = 0.0;
  while (file >> word) {
    double value = 0.0;
    if ((word == "Private_Clean:" || word == "Private_Dirty:") && file >> value) kilobytes += value;
  }
  return kilobytes / 1024.0;
}

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

nlohmann::json measure(const std::string& mode, double seconds, float* x) {
  duet::Options options = duet::Options::from_environment();
  options.unlimited_budget = mode == "rate";
  duet::Worker worker(options, {duet::Buffer{x, kParameters}});

  std::atomic<double> first_meeting{0.0};
  worker.on_meeting([&](const duet::MeetingEvent&) {
    if (first_meeting.load() == 0.0) first_meeting.store(wall_seconds());
  });
  nlohmann::json result;
  const double start = wall_seconds();
  const double cpu_start = cpu_seconds();
  if (mode == "start") {
    while (wall_seconds() < start + seconds) {
      worker.step([] {});
      sleep_for(0.001);
    }
  } else {
    if (mode == "rate") worker.step([] {});
    sleep_for(seconds);
  }
  const double took = wall_seconds() - start;
  result["meetings"] = worker.statistics().meetings;
  result["seconds"] = took;
  result["cpu_share"] = (cpu_seconds() - cpu_start) / took;
  result["first_meeting"] = first_meeting.load();
  result["private_megabytes"] = private_megabytes();
  const auto finished = worker.finish();
  worker.on_meeting({});
  const auto parts = worker.gather(result.dump());
  nlohmann::json all;
  if (finished.lowest) {
    for (const auto& [rank, text] : parts)
      all.push_back(nlohmann::json::parse(text));
  }
  return all;
}

/// From the workers' own figures to the run's.
nlohmann::json summary(const nlohmann::json& workers) {
  double ends = 0.0;
  double seconds = 0.0;
  double last_first_meeting = 0.0;
  double cpu = 0.0;
  double memory = 0.0;
  for (const auto& worker : workers) {
    ends += worker["meetings"].get<double>();
    seconds += worker["seconds"].get<double>();
    cpu = std::max(cpu, worker["cpu_share"].get<double>());
    memory = std::max(memory, worker["private_megabytes"].get<double>());
    last_first_meeting = std::max(last_first_meeting, worker["first_meeting"].get<double>());
  }
  const auto count = static_cast<double>(workers.size());
  nlohmann::json json;
  json["workers"] = workers.size();
  // A meeting is counted at both of its ends.
  json["meetings_per_second"] = ends / 2.0 / (seconds / count);
  json["largest_cpu_share"] = cpu;
  json["largest_private_megabytes"] = memory;
  if (const char* start = std::getenv("DUET_BENCH_START"); start != nullptr && last_first_meeting > 0.0) {
    json["seconds_until_all_have_met"] = last_first_meeting - std::atof(start);
  }
  return json;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string mode = argc > 1 ? argv[1] : "";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0.0;
  if ((mode != "rate" && mode != "start" && mode != "idle") || seconds <= 0.0) {
    std::fprintf(stderr, "usage: bench_worker rate|start|idle SECONDS\n");
    return 2;
  }
#ifdef DUET_BENCH_TORCH
  // As a trainer would: the library is loaded, initialised, and has made a gradient step.
  torch::set_num_threads(1);
  auto weights = torch::zeros({static_cast<std::int64_t>(kParameters)}, torch::requires_grad());
  torch::sum(weights * weights).backward();
  float* x = weights.mutable_grad().data_ptr<float>();
#else
  std::vector<float> weights(kParameters, 0.0F);
  float* x = weights.data();
#endif
  const auto workers = measure(mode, seconds, x);
  if (!workers.empty()) std::printf("%s\n", summary(workers).dump().c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_worker: %s\n", error.what());
  return 1;
}
