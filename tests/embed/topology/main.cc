// A trainer with a topology of its own: racks of two workers. Everyone pulls the parameters towards 1, each
// with noise of its own.
#include <duet/duet.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "rack_topology.h"

namespace {

/// Whether this worker's edges are those that were asked for.
bool has_the_edges(const duet::Worker& worker, const duet::Topology& wanted) {
  for (const auto& edge : worker.statistics().edges) {
    const auto& neighbours = wanted.neighbours(worker.rank());
    const auto found = std::find_if(neighbours.begin(), neighbours.end(),
                                    [&](const duet::Neighbour& one) { return one.worker == edge.peer; });
    if (found == neighbours.end() || found->rate != edge.target_rate) {
      std::fprintf(stderr, "edge %d - %d with rate %f was not asked for\n", worker.rank(), edge.peer,
                   edge.target_rate);
      return false;
    }
  }
  return worker.statistics().edges.size() == wanted.neighbours(worker.rank()).size();
}

}  // namespace

int main(int argc, char**) try {
  auto options = duet::Options::from_environment();
  const auto policy = std::make_shared<RackTopology>(2);
  std::vector<int> everyone(static_cast<std::size_t>(options.world_size));
  std::iota(everyone.begin(), everyone.end(), 0);
  const auto racks = policy->graph(everyone);
  if (argc > 1) {
    options.topology = racks;  // one graph, by value
  } else {
    options.topology_policy = policy;  // a graph for whoever is present
  }

  std::vector<float> x(10000, 0.0F);
  duet::Worker worker(options, {duet::Buffer{x.data(), x.size()}});

  std::mt19937 random(static_cast<unsigned>(worker.rank()));
  std::normal_distribution<float> noise(0.0F, 0.1F);
  for (int step = 0; step < 400; ++step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a gradient takes its time
    worker.step([&] {
      for (auto& value : x)
        value -= 0.05F * (value - 1.0F + noise(random));
    });
  }
  const duet::FinishResult result = worker.finish();

  const auto end = static_cast<double>(x.front());
  if (!(std::abs(end - 1.0) < 0.1)) {
    std::fprintf(stderr, "rank %d ended at %f instead of 1\n", worker.rank(), end);
    return 1;
  }
  if (!has_the_edges(worker, racks)) {
    std::fprintf(stderr, "rank %d has other edges than its topology\n", worker.rank());
    return 1;
  }
  if (result.lowest) {
    const auto constants = worker.topology().constants();
    std::printf("racks: chi1 %.3f, chi2 %.3f, alpha~ %.3f\n", constants.chi1, constants.chi2,
                constants.alpha_tilde);
  }
  std::printf("rank %d of %d: %zu members, %llu meetings, ended at %.6f\n", worker.rank(),
              worker.world_size(), result.members.size(),
              static_cast<unsigned long long>(worker.statistics().meetings), end);
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "rack_trainer: %s\n", error.what());
  return 2;
}
