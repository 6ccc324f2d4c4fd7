// A run on a graph of one's own that repairs itself when workers are gone (rack_policy.h).
//
//   duet-run -n 8 duet-racks [steps]
//
// Rank 5 leaves in the middle; the others go on, on a graph without it.

#include <duet/duet.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "rack_policy.h"
#include "steps.h"

int main(int argc, char** argv) try {
  const int steps = samples::steps_from(argc, argv, "duet-racks");

  auto options = duet::Options::from_environment();
  options.topology_policy = std::make_shared<RackPolicy>(4, 0.2);
  std::vector<float> x(1000, static_cast<float>(options.rank));
  duet::Worker worker(options, {duet::Buffer{x.data(), x.size()}});
  if (worker.rank() == 0) {
    const auto& graph = worker.topology();
    std::printf("%s, %llu edges, chi1 %.2f\n", graph.name().c_str(),
                static_cast<unsigned long long>(graph.edge_count()), graph.constants().chi1);
  }

  for (int step = 0; step < steps; ++step) {
    if (worker.rank() == 5 && step == steps / 2) return 0;  // leaves: the destructor says goodbye
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    worker.step([&] {
      for (float& value : x)
        value -= 0.01F * (value - static_cast<float>(worker.rank()));
    });
  }
  const duet::FinishResult result = worker.finish();

  std::string met;
  for (const auto& edge : worker.statistics().edges) {
    if (edge.meetings > 0) met += " " + std::to_string(edge.peer) + ":" + std::to_string(edge.meetings);
  }
  std::printf("rank %d met%s\n", worker.rank(), met.c_str());
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "duet-racks: %s\n", error.what());
  return 2;
}
