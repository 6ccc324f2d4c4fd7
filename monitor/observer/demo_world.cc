#include "demo_world.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "duet/error.h"

namespace duet::observer {
namespace {

constexpr double kLearningRate = 0.02;
constexpr double kNoise = 0.35;  ///< of a gradient's element
constexpr double kStart = 3.0;   ///< every element, at first
constexpr double kLossFloor = 0.05;
constexpr double kStragglerSlowness = 4.0;
constexpr double kGoneAfter = 4.0;   ///< until the others let go of one that died
constexpr double kBrokenTree = 3.0;  ///< ticks that are missing then
constexpr int kTicksAhead = 10;      ///< planned at a time

const DemoOptions& checked(const DemoOptions& options) {
  if (options.workers < 1 || options.workers > 1024) {
    throw ConfigurationError("a demo has 1 to 1,024 workers, not " + std::to_string(options.workers));
  }
  if (!(options.steps_per_second > 0.0 && options.steps_per_second <= 1000.0))
    throw ConfigurationError("a demo's workers make more than 0 and at most 1,000 steps per second");
  if (!(options.frames_per_second > 0.0 && options.frames_per_second <= 100.0))
    throw ConfigurationError("a demo's workers send more than 0 and at most 100 frames per second");
  if (!(options.rate > 0.0 && options.rate <= 100.0))
    throw ConfigurationError("a demo's rate is more than 0 and at most 100 meetings per step");
  for (const DemoTrouble& trouble : options.troubles) {
    const bool has_peer =
        trouble.what != Trouble::kDeadEdge || (trouble.peer >= 0 && trouble.peer < options.workers);
    if (trouble.rank < 0 || trouble.rank >= options.workers || !has_peer)
      throw ConfigurationError("a demo's trouble names a worker that is not there");
  }
  return options;
}

std::vector<DemoTroubles::Pair> pairs(const Topology& topology) {
  std::vector<DemoTroubles::Pair> pairs;
  for (const duet::Edge& edge : topology.edges())
    pairs.push_back({edge.a, edge.b});
  return pairs;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k)
    sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

double around_one(simulation::Random& random, double spread) {
  return std::uniform_real_distribution<double>(1.0 - spread, 1.0 + spread)(random);
}

}  // namespace

DemoWorld::DemoWorld(const DemoOptions& options)
    : options_(checked(options)),
      topology_(Topology::make(options.graph, options.workers, options.rate)),
      constants_(topology_.constants()),
      algorithm_(make_meeting_algorithm(options.algorithm, constants_)),
      troubles_(options_, pairs(topology_)),
      random_(options.seed),
      workers_(index(options.workers)),
      clocks_(index(options.workers)),
      begun_(index(options.workers)),
      stalled_until_(index(options.workers), 0.0) {
  for (int rank = 0; rank < workers(); ++rank) {
    be_born(rank);
    WorkerState& worker = workers_[index(rank)];
    worker.x.assign(kDimension, kStart);
    // No two machines are alike.
    worker.slowness = std::uniform_real_distribution<double>(0.9, 1.15)(random_);
  }
  run_ = std::make_unique<simulation::PairingRun>(run_options(), static_cast<Listener*>(this));
}

simulation::PairingRunOptions DemoWorld::run_options() {
  simulation::PairingRunOptions run;
  for (int rank = 0; rank < workers(); ++rank)
    run.neighbours.push_back(topology_.neighbours(rank));
  run.gone_after = kGoneAfter;
  run.seed = options_.seed;
  run.step_time = [this](int rank, simulation::Random& chance) {
    const double step = workers_[index(rank)].slowness * around_one(chance, 0.2) / options_.steps_per_second;
    return std::max(0.0, stalled_until_[index(rank)] - (run_ ? run_->now() : 0.0)) + step;
  };
  run.meeting_time = [this](int, int, simulation::Random& chance) {
    return 0.15 * around_one(chance, 0.5) / (options_.steps_per_second * std::max(1.0, options_.rate));
  };
  run.cut = [this](int from, int to) { return cut(from, to); };
  return run;
}

void DemoWorld::be_born(int rank) {
  WorkerState& worker = workers_[index(rank)];
  const double slowness = worker.slowness;
  worker = {};
  worker.slowness = slowness;
  worker.incarnation = {random_(), random_()};
  worker.born = run_ ? run_->now() : 0.0;
  for (const Neighbour& neighbour : topology_.neighbours(rank)) {
    Peer peer;
    peer.rank = neighbour.worker;
    peer.target_rate = neighbour.rate;
    worker.peers.push_back(peer);
  }
  worker.z.assign(kDimension, 0.0);
  const double rate = topology_.rate_of(rank);
  clocks_[index(rank)] = dynamics::make_clock("adaptive", rate > 0.0 ? rate : 1.0);
}

void DemoWorld::advance(double until) {
  while (planned_until_ < until) {
    const double next = planned_until_ + kTicksAhead * kTickInterval;
    for (const DemoTrouble& trouble : troubles_.between(planned_until_, next)) {
      run_->queue().at(trouble.at, [this, trouble] { begin(trouble); });
      run_->queue().at(trouble.at + trouble.duration, [this, trouble] { end(trouble); });
    }
    for (int k = 1; k <= kTicksAhead; ++k)
      run_->queue().at(planned_until_ + k * kTickInterval, [this] { tick(run_->now()); });
    planned_until_ = next;
    run_->run_until(std::min(until, next));
  }
  run_->run_until(until);
}

void DemoWorld::begin(const DemoTrouble& trouble) {
  const std::size_t at = index(trouble.rank);
  switch (trouble.what) {
    case Trouble::kDies:
      if (!workers_[at].alive) return;
      workers_[at].alive = false;
      workers_[at].died = run_->now();
      run_->crash(trouble.rank);
      tree_broken_until_ = run_->now() + kBrokenTree;
      run_->queue().after(kGoneAfter, [this] { ++epoch_; });
      break;
    case Trouble::kStalls:
      stalled_until_[at] = run_->now() + trouble.duration;
      break;
    case Trouble::kStraggles:
      workers_[at].slowness *= kStragglerSlowness;
      break;
    case Trouble::kDeadEdge:
      dead_edges_.insert(std::minmax(trouble.rank, trouble.peer));
      break;
    case Trouble::kNonFinite:
      workers_[at].x.front() = std::numeric_limits<double>::quiet_NaN();
      workers_[at].finite = false;
      break;
    case Trouble::kPartition:
      partitions_.push_back(trouble.rank);
      tree_broken_until_ = run_->now() + kBrokenTree;
      break;
  }
}

void DemoWorld::end(const DemoTrouble& trouble) {
  WorkerState& worker = workers_[index(trouble.rank)];
  // Of a neighbour that is well: what a newcomer copies.
  const auto copy_state = [&] {
    for (const Peer& peer : worker.peers) {
      const WorkerState& other = workers_[index(peer.rank)];
      if (!other.alive || !other.finite) continue;
      worker.x = other.x;
      worker.z.assign(kDimension, 0.0);
      worker.finite = true;
      return;
    }
    worker.x.assign(kDimension, kStart);
    worker.z.assign(kDimension, 0.0);
    worker.finite = true;
  };
  switch (trouble.what) {
    case Trouble::kDies:
      if (worker.alive) return;
      be_born(trouble.rank);
      copy_state();
      ++epoch_;
      run_->restart(trouble.rank);
      break;
    case Trouble::kStalls:
      break;
    case Trouble::kStraggles:
      worker.slowness /= kStragglerSlowness;
      break;
    case Trouble::kDeadEdge:
      dead_edges_.erase(std::minmax(trouble.rank, trouble.peer));
      break;
    case Trouble::kNonFinite:
      if (!worker.finite) copy_state();
      break;
    case Trouble::kPartition:
      std::erase(partitions_, trouble.rank);
      break;
  }
}

bool DemoWorld::cut(int from, int to) const {
  if (!dead_edges_.empty() && dead_edges_.contains(std::minmax(from, to))) return true;
  return std::any_of(partitions_.begin(), partitions_.end(),
                     [&](int first) { return (from < first) != (to < first); });
}

void DemoWorld::on_step(double now, int rank) {
  WorkerState& worker = workers_[index(rank)];
  clocks_[index(rank)]->on_step(now);
  ++worker.steps;
  const double step = worker.slowness / options_.steps_per_second;
  worker.waiting += step * std::uniform_real_distribution<double>(0.005, 0.03)(random_);
  std::normal_distribution<double> noise(0.0, kNoise);
  double squares = 0.0;
  for (double& value : worker.x) {
    value -= kLearningRate * (value + noise(random_));
    squares += value * value;
  }
  worker.loss = kLossFloor + 0.5 * squares / static_cast<double>(kDimension) * around_one(random_, 0.05);
}

void DemoWorld::on_meeting_began(double now, int offerer, int accepter) {
  WorkerState& i = workers_[index(offerer)];
  WorkerState& j = workers_[index(accepter)];
  const double apart = distance(i.x, j.x);
  const Begun begun{now, apart, !std::isfinite(apart)};
  begun_[index(offerer)] = begun_[index(accepter)] = begun;
  const MeetingCoefficients at_i = algorithm_->coefficients(clocks_[index(offerer)]->on_meeting(now));
  const MeetingCoefficients at_j = algorithm_->coefficients(clocks_[index(accepter)]->on_meeting(now));
  if (begun.refused) return;  // its blocks are: nothing spreads
  for (std::size_t k = 0; k < kDimension; ++k) {
    const auto mix = [](double& x, double& z, double c) {
      x += c * z;
      z *= 1.0 - 2.0 * c;
    };
    mix(i.x[k], i.z[k], at_i.c);
    mix(j.x[k], j.z[k], at_j.c);
    const double m = i.x[k] - j.x[k];
    i.x[k] -= at_i.alpha * m;
    i.z[k] -= at_i.alpha_tilde_minus_alpha * m;
    j.x[k] += at_j.alpha * m;
    j.z[k] += at_j.alpha_tilde_minus_alpha * m;
  }
}

void DemoWorld::on_meeting_ended(double now, int offerer, int accepter) {
  for (const auto& [rank, other] : {std::pair(offerer, accepter), std::pair(accepter, offerer)}) {
    WorkerState& worker = workers_[index(rank)];
    const Begun& begun = begun_[index(rank)];
    const auto peer = std::find_if(worker.peers.begin(), worker.peers.end(),
                                   [other = other](const Peer& entry) { return entry.rank == other; });
    if (begun.refused) {
      ++worker.failures;
      ++worker.rejected;
      ++peer->failures;
    } else {
      ++worker.pairings;
      ++peer->pairings;
      peer->last_pairing = now;
      peer->last_distance = begun.distance;
    }
    note(rank, {now, other, !begun.refused, now - begun.since, begun.distance});
  }
}

void DemoWorld::note(int rank, const Meeting& meeting) {
  WorkerState& worker = workers_[index(rank)];
  if (worker.meetings.size() >= kMostMeetings) {
    ++worker.meetings_dropped;
    return;
  }
  worker.meetings.push_back(meeting);
}

std::vector<DemoWorld::Meeting> DemoWorld::take_meetings(int rank) {
  std::deque<Meeting>& meetings = workers_[index(rank)].meetings;
  std::vector<Meeting> taken(meetings.begin(), meetings.end());
  meetings.clear();
  return taken;
}

int DemoWorld::members() const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(),
                                        [](const WorkerState& worker) { return worker.alive; }));
}

void DemoWorld::tick(double now) {
  if (now < tree_broken_until_) return;
  // Each part of a cut network has a tree, a mean and a distance of its own.
  std::vector<int> firsts = partitions_;
  firsts.push_back(workers());
  std::sort(firsts.begin(), firsts.end());
  int first = 0;
  for (const int end : firsts) {
    std::vector<double> mean(kDimension, 0.0);
    int count = 0;
    for (int rank = first; rank < end; ++rank) {
      if (!workers_[index(rank)].alive) continue;
      ++count;
      for (std::size_t k = 0; k < kDimension; ++k)
        mean[k] += workers_[index(rank)].x[k];
    }
    for (double& value : mean)
      value /= std::max(1, count);
    double squares = 0.0;
    for (int rank = first; rank < end; ++rank)
      if (workers_[index(rank)].alive) squares += std::pow(distance(workers_[index(rank)].x, mean), 2);
    for (int rank = first; rank < end; ++rank) {
      WorkerState& worker = workers_[index(rank)];
      if (!worker.alive) continue;
      worker.tick =
          TickValue{static_cast<std::uint64_t>(std::llround((options_.start + now) / kTickInterval)), now,
                    count, std::sqrt(squares / std::max(1, count)), distance(worker.x, mean)};
    }
    first = end;
  }
}

}  // namespace duet::observer
