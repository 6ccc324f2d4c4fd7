#include "simulation/gossip.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "duet/error.h"
#include "simulation/fleet.h"

namespace duet::simulation {

namespace {

using Vector = std::vector<double>;

constexpr double kDiverged = 1e12;
// Nobody meets for so long only when the workers have fallen apart for good: this many steps, or this many
// times as long as a worker waits for a meeting on average.
constexpr double kPatience = 1e4;
constexpr double kPatienceInMeetings = 100.0;
// Whoever meets more rarely has no end that could be waited for.
constexpr double kLeastMeetingsPerStep = 1e-6;

double squared_norm(const Vector& x) {
  double sum = 0.0;
  for (const double value : x)
    sum += value * value;
  return sum;
}

double norm_of_difference(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k)
    sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

/// Meetings change two workers, so the consensus distance is kept up to date from the sum and the sum of
/// squares: Σ‖x_i − x̄‖² = Σ‖x_i‖² − n‖x̄‖².
class Gossip final : public Fleet {
 public:
  Gossip(const Topology& topology, const GossipOptions& options)
      : Fleet(topology, options), sum_(options.dimension) {
    Random random = stream(options.seed, Purpose::kStart);
    std::normal_distribution<float> normal;
    Population& all = population();
    for (int worker = 0; worker < all.workers(); ++worker)
      for (std::size_t k = 0; k < all.dimension(); ++k)
        all.x(worker)[k] = normal(random);
    // Without their mean, so that nothing large cancels in the end.
    const Vector mean = all.mean_position();
    for (int worker = 0; worker < all.workers(); ++worker)
      for (std::size_t k = 0; k < all.dimension(); ++k)
        all.x(worker)[k] -= static_cast<float>(mean[k]);
    count_anew();
  }

  /// Forgets the rounding of the updates so far, which is of the size of what the sums once were: without
  /// this, distances below 10⁻⁸ of the start would be nothing else.
  void count_anew() {
    std::fill(sum_.begin(), sum_.end(), 0.0);
    squares_ = 0.0;
    for (int worker = 0; worker < population().workers(); ++worker)
      if (population().alive(worker)) count(worker, 1.0);
  }

  /// Mean over the living.
  double squared_distance() const {
    const double n = population().members();
    return std::max(0.0, squares_ - squared_norm(sum_) / n) / n;
  }

  void on_meeting_began(double now, int offerer, int accepter) override {
    count(offerer, -1.0);
    count(accepter, -1.0);
    Fleet::on_meeting_began(now, offerer, accepter);
    count(offerer, 1.0);
    count(accepter, 1.0);
  }

 private:
  void on_crash(int worker) override { count(worker, -1.0); }

  void count(int worker, double sign) {
    const Population& all = population();
    double square = 0.0;
    for (std::size_t k = 0; k < sum_.size(); ++k) {
      const double value = all.position(worker, k);
      sum_[k] += sign * value;
      square += value * value;
    }
    squares_ += sign * square;
  }

  Vector sum_;
  double squares_ = 0.0;
};

void check(const Topology& topology, const GossipOptions& options) {
  if (topology.workers() < 2)
    throw ConfigurationError("gossip needs at least 2 workers; one alone has nobody to meet");
  checked(options, topology);
  if (!(options.reduction >= 0.0 && options.reduction < 1.0))
    throw ConfigurationError("gossip cannot run until the squared consensus distance is " +
                             std::to_string(options.reduction) + " of the start; choose a share below 1");
  if (!(options.most_meetings > 0.0) || !std::isfinite(options.most_meetings))
    throw ConfigurationError("gossip that gives up after " + std::to_string(options.most_meetings) +
                             " meetings does nothing; choose a number > 0");
  if (largest_rate(options, topology) < kLeastMeetingsPerStep)
    throw ConfigurationError(
        "--rate times --delivered: less than one meeting in a million steps; gossip has no end then");
  if (options.unlimited_budget && options.clock == "wall" && options.algorithm == "a2cid2")
    throw ConfigurationError(
        "--always-available with --clock wall: that clock counts in steps, of which there are none, so "
        "nothing would be mixed; use adaptive or meetings");
}

double patience(const Topology& topology, const GossipOptions& options) {
  const double slowest = options.stragglers > 0 ? std::max(1.0, options.straggler_factor) : 1.0;
  return std::max(kPatience, kPatienceInMeetings * slowest / largest_rate(options, topology));
}

/// How near the end a run is: by its meetings, or by how far the distance has fallen on its way.
double done(const GossipOptions& options, const GossipResult& result) {
  const double by_meetings = result.meetings / options.most_meetings;
  if (options.reduction <= 0.0 || !(result.squared_distance > 0.0)) return std::min(1.0, by_meetings);
  const double by_distance = std::log(result.squared_distance) / std::log(options.reduction);
  return std::clamp(std::max(by_meetings, by_distance), 0.0, 1.0);
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

double GossipResult::rate() const {
  if (curve.size() < 4) return 0.0;
  const GossipPoint& from = curve[curve.size() / 2];
  const GossipPoint& to = curve.back();
  if (!(to.squared_distance > 0.0) || !(from.squared_distance > 0.0) || !(to.meetings > from.meetings))
    return 0.0;
  return std::log(from.squared_distance / to.squared_distance) / (to.meetings - from.meetings);
}

GossipResult run_gossip(const Topology& topology, const GossipOptions& options, const Progress& progress) {
  check(topology, options);
  Gossip gossip(topology, options);
  PairingRun run(gossip.run_options(), &gossip);
  // About as long as it may take: a busy worker meets at its rate, or as often as meetings last.
  gossip.plan_crashes(run, std::min(options.most_meetings, 100.0));
  const double start = gossip.squared_distance();
  const Vector invariant = gossip.population().mean_invariant();
  const Vector mean = gossip.population().mean_position();
  const double patient = patience(topology, options);
  GossipResult result;
  result.curve.push_back({0.0, 0.0, 1.0});
  std::uint64_t seen = 0;
  double last = 0.0;
  bool ends = false;
  while (!ends && run.now() < last + patient && run.run_next(last + patient)) {
    if (run.total_meetings() == seen) continue;
    seen = run.total_meetings();
    last = run.now();
    result.meetings = gossip.meetings_each(run);
    const bool point = result.meetings >= result.curve.back().meetings + 1.0;
    if (point) gossip.count_anew();  // as much work as the meetings since the last point
    result.squared_distance = gossip.squared_distance() / start;
    // A distance of 0 is no goal: who asks for it asks for all meetings.
    result.reached = options.reduction > 0.0 && result.squared_distance <= options.reduction;
    result.diverged = !(result.squared_distance < kDiverged);
    ends = result.reached || result.diverged || result.meetings >= options.most_meetings;
    if (ends || point) {
      result.curve.push_back({run.now(), result.meetings, result.squared_distance});
      if (progress) progress(done(options, result));
    }
  }
  result.fell_apart = !ends;
  result.members = gossip.population().members();
  result.seconds = run.now();
  result.squared_distance = gossip.population().squared_distance() / start;
  // Of those who died their share went with them.
  result.invariant_drift = result.mean_wander = std::numeric_limits<double>::quiet_NaN();
  if (gossip.population().members() == topology.workers()) {
    const double scale = std::sqrt(start);
    result.invariant_drift = norm_of_difference(gossip.population().mean_invariant(), invariant) / scale;
    result.mean_wander = norm_of_difference(gossip.population().mean_position(), mean) / scale;
  }
  result.edge_meetings = run.edge_meetings();
  result.messages = run.total_messages();
  return result;
}

}  // namespace duet::simulation
