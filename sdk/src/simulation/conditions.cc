#include "simulation/conditions.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "duet/error.h"

namespace duet::simulation {

namespace {

void require(bool good, const std::string& problem) {
  if (!good) throw ConfigurationError(problem);
}

// As short as it can be written: 1e-20 is not 0.000000.
std::string plain(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

// Time must go on. A time below the rounding of a long run's is none (two that answer each other so would do
// it for ever at one instant), and steps that are too many, or no number, never come to the run's end.
constexpr double kLeastLatency = 1e-6;
constexpr double kLeastStragglerFactor = 1e-3, kMostStragglerFactor = 1e6;
constexpr double kMostLognormalSpread = 10.0;

void check(const Conditions& c, int workers) {
  const auto finite = [](double value, double least, const char* name) {
    require(std::isfinite(value) && value >= least, std::string(name) + " is " + std::to_string(value) +
                                                        "; it must be a number, at least " +
                                                        std::to_string(least));
  };
  const auto share = [](double value, const char* name) {
    require(value >= 0.0 && value <= 1.0,
            std::string(name) + " is " + std::to_string(value) + "; it is a share, from 0 to 1");
  };
  finite(c.meeting_time, 0.0, "the time of a meeting");
  finite(c.bytes, 0.0, "the size of a meeting in bytes");
  finite(c.bandwidth, 0.0, "the bandwidth");
  finite(c.latency, 0.0, "the latency");
  finite(c.latency_spread, 0.0, "the latency's spread");
  finite(c.slow_factor, 0.0, "the slow edges' factor");
  finite(c.straggler_factor, 0.0, "the stragglers' factor");
  finite(c.gone_after, 0.0, "the silence after which a worker is gone");
  finite(c.step_spread, 0.0, "the spread of steps");
  share(c.meeting_spread, "the spread of meetings");
  share(c.slow_edges, "the part of slow edges");
  share(c.loss, "the loss of messages");
  require(c.slow_factor > 0.0, "a factor of 0 would be infinitely fast");
  require(c.straggler_factor >= kLeastStragglerFactor && c.straggler_factor <= kMostStragglerFactor,
          "--stragglers: a factor of " + plain(c.straggler_factor) + "; it must be from " +
              plain(kLeastStragglerFactor) + " to " + plain(kMostStragglerFactor));
  require(c.compute != "lognormal" || c.step_spread <= kMostLognormalSpread,
          "--spread: lognormal steps with a deviation of " + plain(c.step_spread) + "; it must be at most " +
              plain(kMostLognormalSpread));
  require(c.latency >= kLeastLatency, "--latency " + plain(c.latency) + ": messages take time, at least " +
                                          plain(kLeastLatency) + " of a step");
  require(c.compute != "uniform" || c.step_spread < 1.0,
          "uniform steps of 1 ± " + std::to_string(c.step_spread) + " would end before they begin");
  require(c.stragglers >= 0 && c.stragglers <= workers,
          std::to_string(c.stragglers) + " stragglers among " + std::to_string(workers) + " workers");
  require(c.crashes >= 0 && c.crashes <= std::max(0, workers - 2),
          std::to_string(c.crashes) + " crashes among " + std::to_string(workers) +
              " workers: two must be left to meet");
}

double around_one(Random& random, double spread) {
  return std::uniform_real_distribution<double>(1.0 - spread, 1.0 + spread)(random);
}

/// `count` different workers.
std::vector<int> draw(int workers, int count, Random& random) {
  std::vector<int> all(static_cast<std::size_t>(workers));
  std::iota(all.begin(), all.end(), 0);
  std::shuffle(all.begin(), all.end(), random);
  all.resize(static_cast<std::size_t>(count));
  return all;
}

}  // namespace

Network::Network(const Topology& topology, const Conditions& conditions, std::uint64_t seed)
    : conditions_(conditions) {
  check(conditions, topology.workers());
  if (conditions.compute == "uniform") {
    compute_ = Compute::kUniform;
  } else if (conditions.compute == "lognormal") {
    compute_ = Compute::kLognormal;
  } else if (conditions.compute == "poisson") {
    compute_ = Compute::kPoisson;
  } else if (conditions.compute == "constant") {
    compute_ = Compute::kConstant;
  } else {
    throw ConfigurationError("unknown kind of compute times \"" + conditions.compute +
                             "\"; there are uniform, lognormal, poisson, constant");
  }
  const double variance = std::log1p(conditions.step_spread * conditions.step_spread);
  log_mean_ = -0.5 * variance;
  log_deviation_ = std::sqrt(variance);

  Random random = stream(seed, Purpose::kNetwork);
  if (conditions.slow_edges > 0.0) {
    for (const Edge& edge : topology.edges())
      slow_.emplace_back(edge.a, edge.b);
    std::shuffle(slow_.begin(), slow_.end(), random);
    slow_.resize(
        static_cast<std::size_t>(std::lround(conditions.slow_edges * static_cast<double>(slow_.size()))));
    std::sort(slow_.begin(), slow_.end());
  }
  stragglers_ = draw(topology.workers(), conditions.stragglers, random);
  std::sort(stragglers_.begin(), stragglers_.end());
  std::uniform_real_distribution<double> moment(0.0, 1.0);
  for (const int worker : draw(topology.workers(), conditions.crashes, random))
    crashes_.push_back({worker, moment(random)});
  std::sort(crashes_.begin(), crashes_.end(), [](const Crash& a, const Crash& b) { return a.at < b.at; });
}

double Network::step_time(int worker, Random& chance) const {
  double time = 1.0;
  switch (compute_) {
    case Compute::kUniform:
      time = around_one(chance, conditions_.step_spread);
      break;
    case Compute::kLognormal:
      time = std::lognormal_distribution<double>(log_mean_, log_deviation_)(chance);
      break;
    case Compute::kPoisson:
      time = std::exponential_distribution<double>(1.0)(chance);
      break;
    case Compute::kConstant:
      break;
  }
  return straggles(worker) ? time * conditions_.straggler_factor : time;
}

double Network::meeting_time(int a, int b, Random& chance) const {
  double time = conditions_.meeting_time;
  if (conditions_.bandwidth > 0.0) time += conditions_.bytes / conditions_.bandwidth;
  if (slow(a, b)) time *= conditions_.slow_factor;
  return time * around_one(chance, conditions_.meeting_spread);
}

bool Network::straggles(int worker) const {
  return std::binary_search(stragglers_.begin(), stragglers_.end(), worker);
}

bool Network::slow(int a, int b) const {
  return !slow_.empty() &&
         std::binary_search(slow_.begin(), slow_.end(), std::pair<int, int>(std::minmax(a, b)));
}

}  // namespace duet::simulation
