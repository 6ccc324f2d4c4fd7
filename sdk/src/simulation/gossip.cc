#include "simulation/gossip.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "duet/algorithm.h"
#include "dynamics/clock.h"

namespace duet::simulation {

namespace {

using Vector = std::vector<double>;

double squared_norm(const Vector& x) {
  double sum = 0.0;
  for (const double value : x)
    sum += value * value;
  return sum;
}

/// The parameters of all workers. Meetings change two of them, so the consensus distance is kept up to date
/// from the sum and the sum of squares: Σ‖x_i − x̄‖² = Σ‖x_i‖² − n‖x̄‖².
class Gossip final : public PairingRun::Listener {
 public:
  Gossip(const Topology& topology, const GossipOptions& options)
      : algorithm_(make_meeting_algorithm(options.algorithm, topology.constants())),
        x_(size(topology), Vector(options.dimension)),
        z_(size(topology), Vector(options.dimension)),
        sum_(options.dimension) {
    Random random(options.seed);
    std::normal_distribution<double> normal;
    for (Vector& x : x_)
      for (double& value : x)
        value = normal(random);
    for (const Vector& x : x_)
      for (std::size_t k = 0; k < x.size(); ++k)
        sum_[k] += x[k];
    // Without their mean, so that nothing large cancels in the end.
    for (Vector& x : x_)
      for (std::size_t k = 0; k < x.size(); ++k)
        x[k] -= sum_[k] / static_cast<double>(x_.size());
    std::fill(sum_.begin(), sum_.end(), 0.0);
    for (const Vector& x : x_)
      squares_ += squared_norm(x);
    for (int worker = 0; worker < topology.workers(); ++worker)
      clocks_.push_back(dynamics::make_clock(options.clock, topology.rate_of(worker)));
  }

  double squared_distance() const { return squares_ - squared_norm(sum_) / static_cast<double>(x_.size()); }

  void on_step(double now, int worker) override { clocks_[index(worker)]->on_step(now); }

  void on_meeting_began(double now, int offerer, int accepter) override {
    const std::size_t i = index(offerer), j = index(accepter);
    const MeetingCoefficients at_i = algorithm_->coefficients(clocks_[i]->on_meeting(now));
    const MeetingCoefficients at_j = algorithm_->coefficients(clocks_[j]->on_meeting(now));
    squares_ -= squared_norm(x_[i]) + squared_norm(x_[j]);
    for (std::size_t k = 0; k < sum_.size(); ++k) {
      sum_[k] -= x_[i][k] + x_[j][k];
      mix(x_[i][k], z_[i][k], at_i.c);
      mix(x_[j][k], z_[j][k], at_j.c);
      const double m = x_[i][k] - x_[j][k];
      x_[i][k] -= at_i.alpha * m;
      z_[i][k] -= at_i.alpha_tilde_minus_alpha * m;
      x_[j][k] += at_j.alpha * m;
      z_[j][k] += at_j.alpha_tilde_minus_alpha * m;
      sum_[k] += x_[i][k] + x_[j][k];
    }
    squares_ += squared_norm(x_[i]) + squared_norm(x_[j]);
  }

 private:
  static std::size_t index(int worker) { return static_cast<std::size_t>(worker); }
  static std::size_t size(const Topology& topology) { return index(topology.workers()); }
  static void mix(double& x, double& z, double c) {
    x += c * z;
    z *= 1.0 - 2.0 * c;
  }

  std::unique_ptr<MeetingAlgorithm> algorithm_;
  std::vector<std::unique_ptr<dynamics::MeetingClock>> clocks_;
  std::vector<Vector> x_;
  std::vector<Vector> z_;
  Vector sum_;
  double squares_ = 0.0;
};

double around_one(Random& random, double spread) {
  return std::uniform_real_distribution<double>(1.0 - spread, 1.0 + spread)(random);
}

PairingRunOptions run_options(const Topology& topology, const GossipOptions& options) {
  PairingRunOptions run;
  for (int worker = 0; worker < topology.workers(); ++worker)
    run.neighbours.push_back(topology.neighbours(worker));
  run.pairing.policy = options.policy;
  run.pairing.simulation = true;
  run.pairing.unlimited_budget = options.unlimited_budget;
  run.pairing.deterministic_budget = options.deterministic_budget;
  run.latency = options.latency;
  run.latency_spread = options.latency_spread;
  run.seed = options.seed;

  // The slow edges: drawn once, a fixed number of them.
  std::vector<std::pair<int, int>> edges;
  for (const Edge& edge : topology.edges())
    edges.emplace_back(edge.a, edge.b);
  Random random(options.seed + 1);
  std::shuffle(edges.begin(), edges.end(), random);
  edges.resize(static_cast<std::size_t>(std::lround(options.slow_edges * static_cast<double>(edges.size()))));
  const std::set<std::pair<int, int>> slow(edges.begin(), edges.end());
  run.meeting_time = [options, slow](int a, int b, Random& chance) {
    const double factor = slow.contains(std::minmax(a, b)) ? options.slow_factor : 1.0;
    return options.meeting_time * factor * around_one(chance, options.meeting_spread);
  };
  if (!options.unlimited_budget) {
    run.step_time = [spread = options.step_spread](int, Random& chance) {
      return around_one(chance, spread);
    };
  }
  return run;
}

}  // namespace

double GossipResult::least_edge_share(const Topology& topology) const {
  double least = 0.0, sum = 0.0;
  bool first = true;
  for (const Edge& edge : topology.edges()) {
    const double used = static_cast<double>(edge_meetings.at({edge.a, edge.b})) / edge.rate;
    least = first ? used : std::min(least, used);
    first = false;
    sum += used;
  }
  return sum > 0.0 ? least / (sum / static_cast<double>(topology.edges().size())) : 0.0;
}

GossipResult run_gossip(const Topology& topology, const GossipOptions& options) {
  Gossip gossip(topology, options);
  PairingRun run(run_options(topology, options), &gossip);
  const double start = gossip.squared_distance();
  const double workers = topology.workers();
  GossipResult result;
  std::uint64_t seen = 0;
  // Nothing happens for so long only when the workers have fallen apart for good.
  const double patience = 1e4;
  double last = 0.0;
  while (run.now() < last + patience && run.run_next(last + patience)) {
    if (run.total_meetings() == seen) continue;
    seen = run.total_meetings();
    last = run.now();
    result.meetings = 2.0 * static_cast<double>(seen) / workers;
    result.squared_distance = gossip.squared_distance() / start;
    if (result.squared_distance <= options.reduction) {
      result.reached = true;
      break;
    }
    if (result.meetings >= options.most_meetings || !(result.squared_distance < 1e12)) break;
  }
  result.seconds = run.now();
  result.edge_meetings = run.edge_meetings();
  result.messages = run.total_messages();
  return result;
}

}  // namespace duet::simulation
