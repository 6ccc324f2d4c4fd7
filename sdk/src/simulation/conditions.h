#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "duet/topology.h"
#include "simulation/streams.h"

namespace duet::simulation {

/// What the workers are like, and the network between them. The unit of time is a second of virtual time, in
/// which a worker that is no straggler makes one step on average.
struct Conditions {
  /// A step takes: "uniform" 1 ± spread, "lognormal" with mean 1 and standard deviation spread, "poisson" an
  /// exponential time of mean 1 (steps are a Poisson process), "constant" 1.
  std::string compute = "uniform";
  double step_spread = 0.2;
  int stragglers = 0;  ///< so many workers, drawn once, whose steps take straggler_factor times as long
  double straggler_factor = 4.0;

  /// A meeting takes (meeting_time + bytes / bandwidth) · (1 ± meeting_spread), uniform.
  double meeting_time = 0.02;
  double bytes = 0.0;      ///< of parameters, one way
  double bandwidth = 0.0;  ///< bytes per second; 0: not a limit
  double meeting_spread = 0.2;
  double slow_edges =
      0.0;  ///< share of the edges, drawn once, on which a meeting takes slow_factor times as long
  double slow_factor = 5.0;

  double latency = 1e-4;  ///< of a control message, > 0: uniform in [latency, latency + latency_spread]
  double latency_spread = 1e-4;
  double loss = 0.0;  ///< share of control messages

  int crashes = 0;  ///< so many workers die, each at a moment drawn from the run's length
  double gone_after = 5.0;
};

/// The conditions, drawn: who straggles, which edges are slow, who dies.
class Network {
 public:
  /// Throws ConfigurationError that names the condition: negative times, shares outside [0, 1], more
  /// stragglers or crashes than there can be, an unknown kind of compute; and what would let virtual time
  /// stand still: no latency, factors and spreads beyond all measure.
  Network(const Topology& topology, const Conditions& conditions, std::uint64_t seed);

  double step_time(int worker, Random& chance) const;
  double meeting_time(int a, int b, Random& chance) const;
  bool straggles(int worker) const;
  bool slow(int a, int b) const;

  struct Crash {
    int worker;
    double at;  ///< share of the run's length
  };
  const std::vector<Crash>& crashes() const { return crashes_; }

 private:
  enum class Compute : std::uint8_t { kUniform, kLognormal, kPoisson, kConstant };

  Conditions conditions_;
  Compute compute_;
  double log_mean_ = 0.0, log_deviation_ = 0.0;  ///< of lognormal
  std::vector<std::pair<int, int>> slow_;        ///< sorted
  std::vector<int> stragglers_;                  ///< sorted
  std::vector<Crash> crashes_;                   ///< by time
};

}  // namespace duet::simulation
