// How close the fused passes come to what memory allows. Each pass runs alone, on one thread, over the whole
// of a large model; its bound is the bytes that it must move over the best bandwidth that plain copy and
// triad loops reach in the same run. A store to memory that is not in cache counts twice (the line is read
// first). Beside it stands the plain loop of the pass's own kind: one that only reads, or one that updates in
// place. Then the check of a meeting (checksum and distance, block by block), and the passes over blocks that
// are in cache.
//
//   bench_passes [--json] [--elements N] [--rounds N] [--target NAME]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/stream.h"
#include "dynamics/passes.h"
#include "exchange/block_header.h"
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

// Plain loops that a pass can be like: copy and triad are the bound for all, these say what a core can do at
// all.
enum class Kind { kMixed, kReads, kUpdates };

struct Measurement {
  std::string name;
  double bytes_per_element = 0.0;
  Kind kind = Kind::kMixed;
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

// What a meeting does to the blocks that came before it applies them: everything but the apply.
class Check {
 public:
  // own and peers: snapshots of `count` elements; a sealed copy of the latter lies in blocks, as it came.
  Check(const float* own, const float* peers, std::size_t count)
      : own_(own), blocks_((count + kBlockElements - 1) / kBlockElements) {
    header_.blocks = static_cast<std::uint32_t>(blocks_);
    const std::size_t slot = exchange::kBlockHeaderBytes + kBlockElements * sizeof(float);
    received_.resize(blocks_ * slot);
    for (std::size_t k = 0; k < blocks_; ++k) {
      const std::size_t first = k * kBlockElements;
      const std::size_t elements = std::min(kBlockElements, count - first);
      header_of(k, elements);
      std::memcpy(block(k) + exchange::kBlockHeaderBytes, peers + first, elements * sizeof(float));
      exchange::seal_block(header_, kToken, block(k));
    }
    count_ = count;
  }

  double operator()() {
    double sum = 0.0;
    for (std::size_t k = 0; k < blocks_; ++k) {
      const std::size_t first = k * kBlockElements;
      const std::size_t elements = std::min(kBlockElements, count_ - first);
      header_of(k, elements);
      exchange::BlockHeader found;
      const std::string wrong = exchange::open_block(
          block(k), exchange::kBlockHeaderBytes + elements * sizeof(float), header_, kToken, found);
      if (!wrong.empty()) throw std::runtime_error(wrong);
      sum += dynamics::squared_distance(own_ + first, block(k) + exchange::kBlockHeaderBytes, DType::kFloat32,
                                        elements);
    }
    return sum;
  }

  static constexpr std::size_t kBlockElements = (1u << 20) / sizeof(float);

 private:
  static constexpr std::uint64_t kToken = 5;

  std::byte* block(std::size_t k) {
    return received_.data() + k * (exchange::kBlockHeaderBytes + kBlockElements * sizeof(float));
  }
  void header_of(std::size_t k, std::size_t elements) {
    header_.index = static_cast<std::uint32_t>(k);
    header_.payload_bytes = elements * sizeof(float);
  }

  const float* own_;
  std::size_t blocks_;
  std::size_t count_ = 0;
  exchange::BlockHeader header_;
  std::vector<std::byte> received_;
};

nlohmann::json stream_passes(const Settings& settings) {
  const std::size_t n = settings.elements;
  const Array x = make_array(n, 1.0f), d = make_array(n, 1e-3f), z = make_array(n, 1e-3f),
              s = make_array(n, 1.0f), r = make_array(n, 1.0f);
  const DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
  const Kind mixed = Kind::kMixed, reads = Kind::kReads, updates = Kind::kUpdates;
  telemetry::Sketcher sketcher(1);
  Check check(s.get(), r.get(), n);
  std::vector<Measurement> bounds = {
      {"copy", 12, mixed, [&] { stream_copy(x.get(), s.get(), n); }},
      {"triad", 16, mixed, [&] { stream_triad(x.get(), d.get(), s.get(), n); }},
      {"read", 8, reads, [&] { g_sink = stream_read(x.get(), d.get(), n); }},
      {"read_narrow", 8, reads, [&] { g_sink = stream_read_narrow(x.get(), d.get(), n); }},
      {"update", 16, updates, [&] { stream_update(r.get(), z.get(), n); }},
  };
  std::vector<Measurement> passes = {
      {"snapshot", 28, mixed, [&] { dynamics::snapshot(x.get(), d.get(), z.get(), s.get(), f32, n, 0.1f); }},
      {"snapshot_bf16", 24, mixed,
       [&] { dynamics::snapshot(x.get(), d.get(), z.get(), s.get(), bf16, n, 0.1f); }},
      {"snapshot_without_momentum", 16, mixed,
       [&] { dynamics::snapshot(x.get(), d.get(), nullptr, s.get(), f32, n, 0.0f); }},
      {"squared_distance", 8, reads, [&] { g_sink = dynamics::squared_distance(s.get(), r.get(), f32, n); }},
      {"squared_distance_bf16", 4, reads,
       [&] { g_sink = dynamics::squared_distance(s.get(), r.get(), bf16, n); }},
      {"check", 8, reads, [&] { g_sink = check(); }},
      {"apply", 24, mixed, [&] { dynamics::apply(d.get(), z.get(), s.get(), r.get(), f32, n, 0.5f, 1.4f); }},
      {"apply_bf16", 20, mixed,
       [&] { dynamics::apply(d.get(), z.get(), s.get(), r.get(), bf16, n, 0.5f, 1.4f); }},
      {"apply_without_momentum", 16, mixed,
       [&] { dynamics::apply(d.get(), nullptr, s.get(), r.get(), f32, n, 0.5f, 0.0f); }},
      {"deliver", 16, updates, [&] { dynamics::deliver(x.get(), d.get(), n); }},
      {"mix", 16, updates, [&] { dynamics::mix(d.get(), z.get(), n, 0.1f); }},
      {"invariant", 20, mixed, [&] { dynamics::invariant(x.get(), d.get(), z.get(), s.get(), n); }},
      {"accumulate", 12, mixed, [&] { dynamics::accumulate(s.get(), x.get(), n); }},
      {"sketch", 8, reads, [&] { sketcher.add(x.get(), d.get(), 0, n); }},
  };
  const std::size_t count = bounds.size();
  std::vector<Measurement> all = bounds;
  all.insert(all.end(), passes.begin(), passes.end());
  measure(all, settings.rounds);

  nlohmann::json result;
  std::map<Kind, double> bandwidth;
  for (std::size_t i = 0; i < count; ++i) {
    const double reached = all[i].bytes_per_element * static_cast<double>(n) / all[i].best;
    result["bandwidth"][all[i].name] = reached;
    bandwidth[all[i].kind] = std::max(bandwidth[all[i].kind], reached);
  }
  for (std::size_t i = count; i < all.size(); ++i) {
    const double reached = all[i].bytes_per_element * static_cast<double>(n) / all[i].best;
    nlohmann::json& one = result["passes"][all[i].name];
    one = {{"seconds", all[i].best},
           {"bytes_per_second", reached},
           {"of_copy_or_triad", reached / bandwidth[Kind::kMixed]}};
    if (all[i].kind == Kind::kReads) one["of_a_reading_loop"] = reached / bandwidth[Kind::kReads];
    if (all[i].kind == Kind::kUpdates) one["of_an_updating_loop"] = reached / bandwidth[Kind::kUpdates];
  }
  return result;
}

nlohmann::json cached_blocks(const Settings& settings, double copy_or_triad) {
  const std::size_t n = Check::kBlockElements;
  const Array x = make_array(n, 1.0f), d = make_array(n, 1e-3f), z = make_array(n, 1e-3f),
              s = make_array(n, 1.0f), r = make_array(n, 1.0f);
  const DType f32 = DType::kFloat32;
  telemetry::Sketcher sketcher(1);
  Check check(s.get(), r.get(), n);
  const Kind mixed = Kind::kMixed, reads = Kind::kReads;
  std::vector<Measurement> all = {
      {"snapshot", 24, mixed, [&] { dynamics::snapshot(x.get(), d.get(), z.get(), s.get(), f32, n, 0.1f); }},
      {"squared_distance", 8, reads, [&] { g_sink = dynamics::squared_distance(s.get(), r.get(), f32, n); }},
      {"check", 8, reads, [&] { g_sink = check(); }},
      {"apply", 24, mixed, [&] { dynamics::apply(d.get(), z.get(), s.get(), r.get(), f32, n, 0.5f, 1.4f); }},
      {"sketch", 8, reads, [&] { sketcher.add(x.get(), d.get(), 0, n); }},
  };
  measure(all, settings.rounds, 50);
  nlohmann::json result;
  for (const Measurement& one : all) {
    const double reached = one.bytes_per_element * static_cast<double>(n) / one.best;
    result[one.name] = {
        {"seconds", one.best}, {"bytes_per_second", reached}, {"of_copy_or_triad", reached / copy_or_triad}};
  }
  return result;
}

std::string percent(const nlohmann::json& pass, const char* key) {
  return pass.contains(key) ? std::to_string(std::lround(100.0 * pass[key].get<double>())) + "%" : "";
}

void print(const nlohmann::json& report) {
  std::printf("%s, %zu float32, one thread\n", report["simd_target"].get<std::string>().c_str(),
              report["elements"].get<std::size_t>());
  for (const auto& [name, reached] : report["bandwidth"].items())
    std::printf("  %-14s %6.1f GB/s\n", name.c_str(), reached.get<double>() / 1e9);
  std::printf("%-28s %10s %12s %12s %14s\n", "pass", "ms", "copy/triad", "reading loop", "updating loop");
  for (const auto& [name, one] : report["passes"].items()) {
    std::printf("%-28s %10.2f %12s %12s %14s\n", name.c_str(), one["seconds"].get<double>() * 1e3,
                percent(one, "of_copy_or_triad").c_str(), percent(one, "of_a_reading_loop").c_str(),
                percent(one, "of_an_updating_loop").c_str());
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
  report["cached_blocks"] = cached_blocks(settings, std::max(report["bandwidth"]["copy"].get<double>(),
                                                             report["bandwidth"]["triad"].get<double>()));
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
