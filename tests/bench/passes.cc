// How close the fused passes come to what memory allows. Each pass runs alone, on one thread, over the whole
// of a large model; its bound is the bytes that it must move over the best bandwidth that plain copy and
// triad loops reach in the same run. A store to memory that is not in cache counts twice (the line is read
// first). Then the passes of the block pipeline over blocks that are in cache, and the sketch.
//
//   bench_passes [--json] [--elements N] [--rounds N] [--target NAME]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/stream.h"
#include "dynamics/passes.h"
#include "telemetry/sketch.h"

namespace duet::bench {
namespace {

struct Settings {
  std::size_t elements = 25'600'000;  // ResNet-50
  int rounds = 15;
  std::string target;
  bool json = false;
};

struct Free {
  void operator()(float* data) const { std::free(data); }
};
using Array = std::unique_ptr<float[], Free>;

// Page-aligned, and written once, so that no page fault is measured. The offset (in elements, per array)
// keeps arrays from sharing the same low address bits, as the arrays of a real trainer would not either.
Array make_array(std::size_t count, float value) {
  const std::size_t bytes = (count * sizeof(float) + 4095) / 4096 * 4096;
  Array array(static_cast<float*>(std::aligned_alloc(4096, bytes)));
  if (array == nullptr) throw std::bad_alloc();
  std::fill_n(array.get(), count, value);
  return array;
}

struct Measurement {
  std::string name;
  double bytes_per_element = 0.0;
  bool only_reads = false;
  std::function<void()> run;
  double best = std::numeric_limits<double>::infinity();  // seconds
};

// In turns, so that a busy spell of the machine does not hit one of them alone; the best time of each counts.
void measure(std::vector<Measurement>& all, int rounds, int repeats = 1) {
  using Clock = std::chrono::steady_clock;
  for (int round = 0; round < rounds; ++round) {
    for (Measurement& one : all) {
      const Clock::time_point start = Clock::now();
      for (int i = 0; i < repeats; ++i)
        one.run();
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count() / repeats;
      one.best = std::min(one.best, seconds);
    }
  }
}

volatile double g_sink;

nlohmann::json stream_passes(const Settings& settings) {
  const std::size_t n = settings.elements;
  const Array x = make_array(n, 1.0f), d = make_array(n, 1e-3f), z = make_array(n, 1e-3f),
              s = make_array(n, 1.0f), r = make_array(n, 1.0f);
  const DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
  telemetry::Sketcher sketcher(1);
  std::vector<Measurement> bounds = {
      {"copy", 12, false, [&] { stream_copy(x.get(), s.get(), n); }},
      {"triad", 16, false, [&] { stream_triad(x.get(), d.get(), s.get(), n); }},
      {"read", 8, true, [&] { g_sink = stream_read(x.get(), d.get(), n); }},
  };
  std::vector<Measurement> passes = {
      {"snapshot", 28, false, [&] { dynamics::snapshot(x.get(), d.get(), z.get(), s.get(), f32, n, 0.1f); }},
      {"snapshot_bf16", 24, false,
       [&] { dynamics::snapshot(x.get(), d.get(), z.get(), s.get(), bf16, n, 0.1f); }},
      {"snapshot_without_momentum", 16, false,
       [&] { dynamics::snapshot(x.get(), d.get(), nullptr, s.get(), f32, n, 0.0f); }},
      {"squared_distance", 8, true, [&] { g_sink = dynamics::squared_distance(s.get(), r.get(), f32, n); }},
      {"squared_distance_bf16", 4, true,
       [&] { g_sink = dynamics::squared_distance(s.get(), r.get(), bf16, n); }},
      {"apply", 24, false, [&] { dynamics::apply(d.get(), z.get(), s.get(), r.get(), f32, n, 0.5f, 1.4f); }},
      {"apply_bf16", 20, false,
       [&] { dynamics::apply(d.get(), z.get(), s.get(), r.get(), bf16, n, 0.5f, 1.4f); }},
      {"apply_without_momentum", 16, false,
       [&] { dynamics::apply(d.get(), nullptr, s.get(), r.get(), f32, n, 0.5f, 0.0f); }},
      {"deliver", 16, false, [&] { dynamics::deliver(x.get(), d.get(), n); }},
      {"mix", 16, false, [&] { dynamics::mix(d.get(), z.get(), n, 0.1f); }},
      {"invariant", 20, false, [&] { dynamics::invariant(x.get(), d.get(), z.get(), s.get(), n); }},
      {"accumulate", 12, false, [&] { dynamics::accumulate(s.get(), x.get(), n); }},
      {"sketch", 8, true, [&] { sketcher.add(x.get(), d.get(), 0, n); }},
  };
  const std::size_t count = bounds.size();
  std::vector<Measurement> all = bounds;
  all.insert(all.end(), passes.begin(), passes.end());
  measure(all, settings.rounds);

  nlohmann::json result;
  double mixed = 0.0, reads = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    const double reached = all[i].bytes_per_element * static_cast<double>(n) / all[i].best;
    result["bandwidth"][all[i].name] = reached;
    double& bandwidth = all[i].only_reads ? reads : mixed;
    bandwidth = std::max(bandwidth, reached);
  }
  for (std::size_t i = count; i < all.size(); ++i) {
    const double bytes = all[i].bytes_per_element * static_cast<double>(n);
    const double bound = bytes / (all[i].only_reads ? reads : mixed);
    nlohmann::json& one = result["passes"][all[i].name];
    one = {{"seconds", all[i].best}, {"bound_seconds", bound}, {"ratio", bound / all[i].best}};
    if (all[i].only_reads) one["ratio_to_copy"] = bytes / mixed / all[i].best;
  }
  return result;
}

nlohmann::json cached_blocks(const Settings& settings) {
  const std::size_t bytes = 1u << 20;
  const std::size_t n = bytes / sizeof(float);
  const Array x = make_array(n, 1.0f), d = make_array(n, 1e-3f), z = make_array(n, 1e-3f),
              s = make_array(n, 1.0f), r = make_array(n, 1.0f);
  const DType f32 = DType::kFloat32;
  telemetry::Sketcher sketcher(1);
  std::vector<Measurement> all = {
      {"snapshot", 24, false, [&] { dynamics::snapshot(x.get(), d.get(), z.get(), s.get(), f32, n, 0.1f); }},
      {"squared_distance", 8, true, [&] { g_sink = dynamics::squared_distance(s.get(), r.get(), f32, n); }},
      {"apply", 24, false, [&] { dynamics::apply(d.get(), z.get(), s.get(), r.get(), f32, n, 0.5f, 1.4f); }},
      {"sketch", 8, true, [&] { sketcher.add(x.get(), d.get(), 0, n); }},
  };
  measure(all, settings.rounds, 50);
  nlohmann::json result;
  for (const Measurement& one : all) {
    result[one.name] = {{"seconds", one.best},
                        {"bytes_per_second", one.bytes_per_element * static_cast<double>(n) / one.best}};
  }
  return result;
}

void print(const nlohmann::json& report) {
  std::printf("%s, %zu float32, one thread; copy %.1f GB/s, triad %.1f GB/s, read %.1f GB/s\n",
              report["simd_target"].get<std::string>().c_str(), report["elements"].get<std::size_t>(),
              report["bandwidth"]["copy"].get<double>() / 1e9,
              report["bandwidth"]["triad"].get<double>() / 1e9,
              report["bandwidth"]["read"].get<double>() / 1e9);
  std::printf("%-28s %10s %10s %8s\n", "pass", "ms", "bound ms", "ratio");
  for (const auto& [name, one] : report["passes"].items()) {
    std::printf("%-28s %10.2f %10.2f %7.0f%%\n", name.c_str(), one["seconds"].get<double>() * 1e3,
                one["bound_seconds"].get<double>() * 1e3, one["ratio"].get<double>() * 100.0);
  }
  std::printf("%-28s %10s %10s\n", "1 MiB blocks in cache", "us", "GB/s");
  for (const auto& [name, one] : report["cached_blocks"].items()) {
    std::printf("%-28s %10.1f %10.1f\n", name.c_str(), one["seconds"].get<double>() * 1e6,
                one["bytes_per_second"].get<double>() / 1e9);
  }
}

int main_with(const Settings& settings) {
  dynamics::force_simd_target(settings.target);
  nlohmann::json report = stream_passes(settings);
  report["cached_blocks"] = cached_blocks(settings);
  report["simd_target"] = dynamics::simd_target_in_use();
  report["elements"] = settings.elements;
  if (settings.json) {
    std::cout << report.dump(2) << '\n';
  } else {
    print(report);
  }
  return 0;
}

}  // namespace
}  // namespace duet::bench

int main(int argc, char** argv) {
  duet::bench::Settings settings;
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string_view option = argv[i];
      if (option == "--json") {
        settings.json = true;
      } else if (option == "--elements" && i + 1 < argc) {
        settings.elements = std::stoull(argv[++i]);
      } else if (option == "--rounds" && i + 1 < argc) {
        settings.rounds = std::stoi(argv[++i]);
      } else if (option == "--target" && i + 1 < argc) {
        settings.target = argv[++i];
      } else {
        std::fprintf(stderr, "usage: %s [--json] [--elements N] [--rounds N] [--target NAME]\n", argv[0]);
        return 2;
      }
    }
    return duet::bench::main_with(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
