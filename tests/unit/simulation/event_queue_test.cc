#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include "duet/topology.h"
#include "simulation/event_queue.h"
#include "simulation/pairing_run.h"

namespace duet::simulation {
namespace {

using ::testing::ElementsAre;

TEST(SimulatedTime, RunsInOrderAndAtEqualTimesInTheOrderOfPlanning) {
  EventQueue queue;
  std::vector<int> seen;
  queue.at(2.0, [&] { seen.push_back(3); });
  queue.at(1.0, [&] {
    seen.push_back(1);
    queue.at(1.0, [&] { seen.push_back(2); });
    queue.at(0.5, [&] { seen.push_back(20); });  // too late: now, after what was planned for now
    queue.at(2.0, [&] { seen.push_back(4); });
  });
  queue.run_until(1.5);
  EXPECT_THAT(seen, ElementsAre(1, 2, 20));
  EXPECT_EQ(queue.now(), 1.5);
  queue.run_until(2.0);
  EXPECT_THAT(seen, ElementsAre(1, 2, 20, 3, 4));
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_FALSE(queue.run_next());
  EXPECT_EQ(queue.now(), 2.0);
}

TEST(SimulatedTime, KeepsThousandsOfEventsInOrderWhilePlacesAreUsedAgain) {
  EventQueue queue;
  std::mt19937 random(1);
  std::uniform_real_distribution<double> later(0.0, 1.0);
  double last = 0.0;
  int happened = 0;
  const std::function<void()> event = [&] {
    EXPECT_GE(queue.now(), last);
    last = queue.now();
    if (++happened < 20000) queue.after(later(random), event);
  };
  for (int k = 0; k < 100; ++k)
    queue.at(later(random), event);
  while (queue.run_next()) {
  }
  EXPECT_EQ(happened, 20099);
}

TEST(PairingRunsQueue, HoldsAFewEventsForEachWorkerHoweverLongItRuns) {
  PairingRunOptions options;
  const Topology torus = Topology::make("torus", 64);
  for (int worker = 0; worker < torus.workers(); ++worker)
    options.neighbours.push_back(torus.neighbours(worker));
  options.step_time = [](int, Random& chance) {
    return std::uniform_real_distribution<double>(0.8, 1.2)(chance);
  };
  options.meeting_time = [](int, int, Random&) { return 0.02; };
  PairingRun run(std::move(options));
  std::size_t most = 0;
  for (double until = 1.0; until <= 100.0; until += 1.0) {
    run.run_until(until);
    most = std::max(most, run.queue().size());
  }
  // A step, an alarm, at times one that a nearer one has overtaken, messages under way, half a meeting.
  EXPECT_LE(most, 6U * 64U);
}

}  // namespace
}  // namespace duet::simulation
