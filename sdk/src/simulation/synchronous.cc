#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "duet/algorithm.h"
#include "simulation/trainers.h"
#include "topology/metropolis.h"

namespace duet::simulation {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

/// What a step algorithm asks for. In a real worker the call waits; here everybody asks first, and then it is
/// done, so an algorithm may not look at the parameters behind its call (through a StepContext it cannot).
class Asked final : public StepContext {
 public:
  enum class What { kNothing, kAverage, kGossip };
  Asked(int members, double rate) : members_(members), rate_(rate) {}
  int members() const override { return members_; }
  double rate() const override { return rate_; }
  void average(double /*timeout*/) override { what_ = What::kAverage; }
  void gossip(double /*timeout*/) override { what_ = What::kGossip; }
  What what() const { return what_; }

 private:
  int members_;
  double rate_;
  What what_ = What::kNothing;
};

/// Workers in lock step, each with a time of its own at which it may begin its next step.
class Synchronous {
 public:
  Synchronous(const Topology& topology, const TrainingOptions& options)
      : full_(topology),
        graph_(topology),
        options_(options),
        network_(topology, options, options.seed),
        population_(topology.workers(), options.dimension, false, options.wire),
        trainers_(options, topology.workers()),
        algorithm_(make_step_algorithm(options.algorithm)),
        random_(stream(options.seed, Purpose::kRun)),
        free_(index(topology.workers())),
        done_(index(topology.workers())),
        dies_(index(topology.workers()), kNever) {
    members_.resize(index(topology.workers()));
    std::iota(members_.begin(), members_.end(), 0);
    for (const Network::Crash& crash : network_.crashes())
      dies_[index(crash.worker)] = crash.at * options.length;
    set_graph();
  }

  /// One step of everyone, and what the algorithm does behind it.
  void step() {
    Asked::What what = Asked::What::kNothing;
    std::vector<int> dead;
    for (const int worker : members_) {
      done_[index(worker)] = free_[index(worker)] + network_.step_time(worker, random_);
      if (done_[index(worker)] >= dies_[index(worker)]) {
        // The others notice when it has been silent for so long; until then an average waits for it.
        done_[index(worker)] = dies_[index(worker)] + options_.gone_after;
        noticed_ = std::max(noticed_, done_[index(worker)]);
        dead.push_back(worker);
        continue;
      }
      trainers_.compute(worker, population_);
      trainers_.update(worker, population_);
      Asked asked(static_cast<int>(members_.size()), options_.rate);
      algorithm_->after_update(asked, steps_);
      what = asked.what();
    }
    for (const int worker : dead)
      population_.lose(worker);
    switch (what) {
      case Asked::What::kNothing:
        free_ = done_;
        break;
      case Asked::What::kAverage:
        average();
        ++exchanges_;
        break;
      case Asked::What::kGossip:
        gossip();
        ++exchanges_;
        break;
    }
    if (!dead.empty()) bury();
    ++steps_;
  }

  /// When the last of them may go on.
  double now() const {
    double latest = 0.0;
    for (const int worker : members_)
      latest = std::max(latest, free_[index(worker)]);
    return latest;
  }
  double exchanges() const { return exchanges_; }
  const Population& population() const { return population_; }
  const Trainers& trainers() const { return trainers_; }

 private:
  static std::size_t index(int worker) { return static_cast<std::size_t>(worker); }

  // Of the present graph's worker k, the name in the whole run is members_[k].
  void set_graph() {
    edges_.clear();
    for (const Edge& edge : graph_.edges()) {
      const double weight =
          topology::metropolis_weight(graph_.neighbours(edge.a).size(), graph_.neighbours(edge.b).size());
      edges_.push_back({members_[index(edge.a)], members_[index(edge.b)], weight});
    }
    // Up and down the members' tree, in blocks that follow each other closely: the slowest of its edges
    // counts, and for each level a message's latency. Breadth first from the lowest, as
    // membership::make_tree() does it, which answers for one worker at a time.
    height_ = 0;
    tree_edges_.clear();
    std::vector<int> depth(index(graph_.workers()), -1);
    std::vector<int> queue{0};
    depth[0] = 0;
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const int from = queue[next];
      for (const Neighbour& neighbour : graph_.neighbours(from)) {
        if (depth[index(neighbour.worker)] >= 0) continue;
        depth[index(neighbour.worker)] = depth[index(from)] + 1;
        height_ = std::max(height_, depth[index(neighbour.worker)]);
        tree_edges_.emplace_back(members_[index(from)], members_[index(neighbour.worker)]);
        queue.push_back(neighbour.worker);
      }
    }
  }

  void average() {
    double all = noticed_;
    for (const int worker : members_)
      all = std::max(all, done_[index(worker)]);
    double slowest = 0.0;
    for (const auto& [a, b] : tree_edges_)
      slowest = std::max(slowest, network_.meeting_time(a, b, random_));
    all += 2.0 * (slowest + height_ * options_.latency);
    const std::vector<double> mean = population_.mean_position();
    for (const int worker : members_) {
      free_[index(worker)] = all;
      if (!population_.alive(worker)) continue;
      for (std::size_t k = 0; k < mean.size(); ++k)
        population_.x(worker)[k] = static_cast<float>(mean[k]);
    }
  }

  // One exchange after the other, each worker with all of its neighbours.
  void gossip() {
    free_ = done_;
    std::vector<double> taken(free_.size());
    population_.gossip(edges_);
    for (const Population::WeightedEdge& edge : edges_) {
      const std::size_t a = index(edge.a), b = index(edge.b);
      free_[a] = std::max(free_[a], done_[b]);
      free_[b] = std::max(free_[b], done_[a]);
      if (!population_.alive(edge.a) || !population_.alive(edge.b)) continue;  // waited for, in vain
      const double time = network_.meeting_time(edge.a, edge.b, random_);
      taken[a] += time;
      taken[b] += time;
    }
    for (const int worker : members_)
      free_[index(worker)] += taken[index(worker)];
  }

  // The dead are left out from here on. An average's tree is made anew among the living; gossip goes on over
  // the edges that are left, as in the real worker.
  void bury() {
    std::vector<int> living;
    for (const int worker : members_)
      if (population_.alive(worker)) living.push_back(worker);
    if (options_.algorithm == "dpsgd") {
      std::erase_if(edges_, [&](const Population::WeightedEdge& edge) {
        return !population_.alive(edge.a) || !population_.alive(edge.b);
      });
      members_ = std::move(living);
      return;
    }
    graph_ = (options_.graphs != nullptr ? options_.graphs : fixed_policy(full_))->graph(living);
    members_ = std::move(living);
    set_graph();
  }

  Topology full_;
  Topology graph_;
  const TrainingOptions& options_;
  Network network_;
  Population population_;
  Trainers trainers_;
  std::unique_ptr<StepAlgorithm> algorithm_;
  Random random_;
  std::vector<double> free_, done_, dies_;
  std::vector<int> members_;
  std::vector<Population::WeightedEdge> edges_;
  std::vector<std::pair<int, int>> tree_edges_;
  int height_ = 0;
  double noticed_ = 0.0;  ///< when the last of the deaths so far is known to all
  std::uint64_t steps_ = 0;
  double exchanges_ = 0.0;
};

}  // namespace

TrainingResult run_synchronous(const Topology& topology, const TrainingOptions& options,
                               const Progress& progress) {
  Synchronous run(topology, options);
  Record record(options);
  const double workers = topology.workers();
  const auto note = [&] {
    return record.add(run.now(), static_cast<double>(run.trainers().steps()) / workers, run.exchanges(),
                      run.population(), run.trainers());
  };
  bool goes_on = note();
  double next = options.record_every;
  while (goes_on && run.now() < options.length) {
    run.step();
    if (run.now() < next && run.now() < options.length) continue;
    goes_on = note();
    next = run.now() + options.record_every;
    if (progress) progress(std::min(1.0, run.now() / options.length));
  }
  return record.take();
}

}  // namespace duet::simulation
