// How close the passes on a CUDA device come to what its memory allows: each alone over a large model, timed
// by the host over many launches in a row; its bound is the bytes that it must move over the bandwidth of a
// copy within the device, in the same run. Then what a block costs on its way: copies to and from pinned host
// memory, and one enqueued pass. Without a device it says so, and ends with 77.
//
//   bench_device_passes [--json] [--elements N] [--rounds N] [--device N]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "device/registry.h"
#include "duet/error.h"
#include "telemetry/sketch.h"

namespace duet::bench {
namespace {

constexpr int kSkipped = 77;
constexpr double kPatience = 60.0;

struct Settings {
  std::size_t elements = 256'000'000;
  int rounds = 10;
  int device = 0;
  bool json = false;
};

struct Measurement {
  std::string name;
  double bytes_per_element = 0.0;
  std::function<void()> run;
  double best = std::numeric_limits<double>::infinity();  // seconds
};

class Bench {
 public:
  Bench(const Settings& settings, std::shared_ptr<device::Device> device)
      : settings_(settings),
        device_(std::move(device)),
        stream_(device_->make_stream()),
        end_(device_->make_event()),
        n_(settings.elements),
        x_(array()),
        d_(array()),
        z_(array()),
        s_(array()),
        r_(array()),
        sums_(device_->allocate(device::kSketchPlaces * sizeof(double), "sums")) {}

  nlohmann::json run() {
    const DType f32 = DType::kFloat32, bf16 = DType::kBFloat16;
    float *x = floats(x_), *d = floats(d_), *z = floats(z_), *s = floats(s_), *r = floats(r_);
    auto* const sum = reinterpret_cast<double*>(sums_.get());
    const dynamics::Elements narrow(x, bf16);
    const std::uint64_t key = telemetry::Sketcher(1).key();
    std::vector<Measurement> all = {
        {"copy", 8, [=, this] { stream_.copy(s, x, n_ * sizeof(float), device::Direction::kWithin); }},
        {"snapshot", 24, [=, this] { stream_.snapshot(x, d, z, s, f32, n_, 0.1F); }},
        {"snapshot_bf16", 22, [=, this] { stream_.snapshot(x, d, z, s, bf16, n_, 0.1F); }},
        {"snapshot_bf16_parameters", 20, [=, this] { stream_.snapshot(narrow, d, z, s, bf16, n_, 0.1F); }},
        {"snapshot_without_momentum", 12, [=, this] { stream_.snapshot(x, d, nullptr, s, f32, n_, 0.0F); }},
        {"squared_distance", 8, [=, this] { stream_.squared_distance(s, r, f32, n_, sum); }},
        {"squared_distance_bf16", 4, [=, this] { stream_.squared_distance(s, r, bf16, n_, sum); }},
        {"apply", 24, [=, this] { stream_.apply(d, z, s, r, f32, n_, 0.5F, 1.4F); }},
        {"apply_bf16", 20, [=, this] { stream_.apply(d, z, s, r, bf16, n_, 0.5F, 1.4F); }},
        {"apply_without_momentum", 16, [=, this] { stream_.apply(d, nullptr, s, r, f32, n_, 0.5F, 0.0F); }},
        {"deliver", 16, [=, this] { stream_.deliver(x, d, n_); }},
        {"deliver_bf16_parameters", 12, [=, this] { stream_.deliver(narrow, d, n_); }},
        {"mix", 16, [=, this] { stream_.mix(d, z, n_, 0.1F); }},
        {"invariant", 16, [=, this] { stream_.invariant(x, d, z, s, n_); }},
        {"sketch", 8, [=, this] { stream_.sketch(key, x, d, 0, n_, sum); }},
    };
    measure(all, 5);
    nlohmann::json report;
    report["device"] = device_->name();
    report["elements"] = n_;
    const double bandwidth = all.front().bytes_per_element * static_cast<double>(n_) / all.front().best;
    report["copy_bytes_per_second"] = bandwidth;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const double bound = all[i].bytes_per_element * static_cast<double>(n_) / bandwidth;
      report["passes"][all[i].name] = {
          {"seconds", all[i].best}, {"bound_seconds", bound}, {"ratio", bound / all[i].best}};
    }
    report["blocks"] = blocks();
    return report;
  }

 private:
  device::Bytes array() { return device_->allocate(n_ * sizeof(float), "an array"); }
  static float* floats(const device::Bytes& bytes) { return reinterpret_cast<float*>(bytes.get()); }

  void drain() {
    end_.record(stream_);
    if (!end_.wait(kPatience)) throw std::runtime_error("the device did not finish");
  }

  // In turns, so that a busy spell does not hit one of them alone; the best time of each counts.
  void measure(std::vector<Measurement>& all, int repeats) {
    using Clock = std::chrono::steady_clock;
    for (int round = 0; round < settings_.rounds; ++round) {
      for (Measurement& one : all) {
        drain();
        const Clock::time_point start = Clock::now();
        for (int i = 0; i < repeats; ++i)
          one.run();
        drain();
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count() / repeats;
        one.best = std::min(one.best, seconds);
      }
    }
  }

  nlohmann::json blocks() {
    nlohmann::json report;
    for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{1} << 24}) {
      const std::size_t count = std::min(n_, bytes / sizeof(float));
      auto pinned = device_->allocate_pinned(bytes, "a block");
      std::vector<Measurement> all = {
          {"to_host", 4,
           [&] { stream_.copy(pinned.get(), s_.get(), count * sizeof(float), device::Direction::kToHost); }},
          {"to_device", 4,
           [&] {
             stream_.copy(s_.get(), pinned.get(), count * sizeof(float), device::Direction::kToDevice);
           }},
          {"apply", 24,
           [&] {
             stream_.apply(floats(d_), floats(z_), s_.get(), r_.get(), DType::kFloat32, count, 0.5F, 1.4F);
           }},
      };
      measure(all, 100);
      for (const Measurement& one : all) {
        report[std::to_string(bytes >> 10) + " KiB"][one.name] = {
            {"seconds", one.best},
            {"bytes_per_second", one.bytes_per_element * static_cast<double>(count) / one.best}};
      }
      drain();
    }
    return report;
  }

  const Settings& settings_;
  std::shared_ptr<device::Device> device_;
  device::Stream stream_;
  device::Event end_;
  std::size_t n_;
  device::Bytes x_, d_, z_, s_, r_, sums_;
};

void print(const nlohmann::json& report) {
  std::printf("%s, %zu float32; copy %.1f GB/s\n", report["device"].get<std::string>().c_str(),
              report["elements"].get<std::size_t>(), report["copy_bytes_per_second"].get<double>() / 1e9);
  std::printf("%-28s %10s %10s %8s\n", "pass", "ms", "bound ms", "ratio");
  for (const auto& [name, one] : report["passes"].items()) {
    std::printf("%-28s %10.3f %10.3f %7.0f%%\n", name.c_str(), one["seconds"].get<double>() * 1e3,
                one["bound_seconds"].get<double>() * 1e3, one["ratio"].get<double>() * 100.0);
  }
  std::printf("%-28s %10s %10s\n", "a block", "us", "GB/s");
  for (const auto& [size, block] : report["blocks"].items()) {
    for (const auto& [name, one] : block.items()) {
      std::printf("%-28s %10.1f %10.1f\n", (size + ", " + name).c_str(), one["seconds"].get<double>() * 1e6,
                  one["bytes_per_second"].get<double>() / 1e9);
    }
  }
}

int main_with(const Settings& settings) {
  std::shared_ptr<device::Device> device;
  try {
    device = device::open(DeviceKind::kCuda, settings.device);
  } catch (const ConfigurationError& error) {
    std::fprintf(stderr, "skipped: no CUDA device: %s\n", error.what());
    return kSkipped;
  }
  const nlohmann::json report = Bench(settings, device).run();
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
      } else if (option == "--device" && i + 1 < argc) {
        settings.device = std::stoi(argv[++i]);
      } else {
        std::fprintf(stderr, "usage: %s [--json] [--elements N] [--rounds N] [--device N]\n", argv[0]);
        return 2;
      }
    }
    return duet::bench::main_with(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
