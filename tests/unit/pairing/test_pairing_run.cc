#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "duet/topology.h"
#include "simulation/pairing_run.h"

/// Whole protocols among many machines: what must never happen, and what must always come about.
namespace duet::simulation {
namespace {

using pairing::MessageKind;

PairingRunOptions always_available(const Topology& topology, double meeting_time) {
  PairingRunOptions options;
  for (int worker = 0; worker < topology.workers(); ++worker)
    options.neighbours.push_back(topology.neighbours(worker));
  options.pairing.unlimited_budget = true;
  options.meeting_time = [meeting_time](int, int, Random& random) {
    return meeting_time * std::uniform_real_distribution<double>(0.5, 1.5)(random);
  };
  return options;
}

/// Safety, after every event.
class Watch final : public PairingRun::Listener {
 public:
  const PairingRun* run = nullptr;

  void on_meeting_began(double /*now*/, int offerer, int accepter) override {
    for (const int worker : {offerer, accepter})
      EXPECT_TRUE(in_meeting_.insert(worker).second);
    EXPECT_EQ(run->machine(offerer).partner(), accepter);
    EXPECT_EQ(run->machine(accepter).partner(), offerer);
    EXPECT_EQ(run->meeting(offerer), run->meeting(accepter));
    EXPECT_TRUE(meetings_.insert(run->meeting(offerer)).second) << "an id that was there before";
  }
  void on_event(double /*now*/, int worker) override {
    if (!run->both_in_meeting(worker)) in_meeting_.erase(worker);
    EXPECT_EQ(run->machine(worker).in_meeting(), run->meeting(worker) != 0);
    EXPECT_EQ(run->machine(worker).partner() >= 0, run->machine(worker).in_meeting());
    // The other side of a meeting that both began is in it, or dead, and with nobody else.
    if (run->both_in_meeting(worker)) {
      const int partner = run->machine(worker).partner();
      if (run->alive(partner) && run->both_in_meeting(partner) &&
          run->meeting(partner) == run->meeting(worker)) {
        EXPECT_EQ(run->machine(partner).partner(), worker);
      }
    }
  }

 private:
  std::set<int> in_meeting_;
  std::set<std::uint64_t> meetings_;
};

TEST(PairingRun, TakesFiveMessagesPerMeetingOnABusyRing) {
  // Eight tiny workers: meetings of 1 ms, messages of 50 µs.
  PairingRunOptions options = always_available(Topology::make("ring", 8), 1e-3);
  options.latency = options.latency_spread = 5e-5;
  PairingRun run(options);
  run.run_until(10.0);
  const double meetings = static_cast<double>(run.total_meetings());
  EXPECT_LE(static_cast<double>(run.total_messages()) / meetings, 5.2);
  EXPECT_GE(meetings / 10.0, 2000.0) << "and meets often enough";
  EXPECT_EQ(run.broken_sides(), 0u);
}

TEST(PairingRun, NeedsNoRepetitionsWhenNothingIsLost) {
  for (const char* graph : {"ring", "path", "star", "complete", "exponential"}) {
    for (const bool unlimited : {true, false}) {
      const Topology topology = Topology::make(graph, 8);
      PairingRunOptions options = always_available(topology, 0.3);
      options.pairing.unlimited_budget = unlimited;
      options.pairing.announce_interval = 1e9;
      options.step_time = [](int, Random& random) {
        return std::uniform_real_distribution<double>(0.8, 1.2)(random);
      };
      options.latency = options.latency_spread = 1e-3;
      Watch watch;
      PairingRun run(options, &watch);
      watch.run = &run;
      run.run_until(400.0);
      double rates = 0.0;
      for (const Edge& edge : topology.edges())
        rates += edge.rate;
      for (const Edge& edge : topology.edges()) {
        const double share = static_cast<double>(run.edge_meetings().at({edge.a, edge.b})) /
                             static_cast<double>(run.total_meetings()) / (edge.rate / rates);
        EXPECT_GE(share, 0.5) << graph << ' ' << edge.a << '-' << edge.b;
      }
      EXPECT_EQ(run.broken_sides(), 0u);
    }
  }
}

TEST(PairingRun, SpendsWhatItsBudgetAllows) {
  const Topology topology = Topology::make("complete", 6);
  for (const bool deterministic : {true, false}) {
    PairingRunOptions options = always_available(topology, 0.02);
    options.pairing.unlimited_budget = false;
    options.pairing.deterministic_budget = deterministic;
    options.step_time = [](int, Random& random) {
      return std::uniform_real_distribution<double>(0.8, 1.2)(random);
    };
    PairingRun run(options);
    run.run_until(500.0);
    for (int worker = 0; worker < 6; ++worker) {
      const double meetings = static_cast<double>(run.meetings()[static_cast<std::size_t>(worker)]);
      const double shed = static_cast<double>(run.machine(worker).shed());
      EXPECT_NEAR(meetings + shed + run.machine(worker).budget(), 500.0, deterministic ? 30.0 : 120.0);
      EXPECT_GE(meetings, deterministic ? 460.0 : 400.0);
    }
  }
}

TEST(PairingRun, BreaksTheCircleOfThreeThatDeclineEachOther) {
  // Offers that leave at the same instant and travel equally long: every round would be like the one before.
  PairingRunOptions options = always_available(Topology::make("ring", 3), 1e-9);
  options.latency = 1e-3;
  PairingRun run(options);
  run.run_until(10.0);
  EXPECT_GE(run.total_meetings(), 1000u);
}

TEST(PairingRun, TheLastToTrainMeetsThoseThatFinished) {
  const Topology topology = Topology::make("ring", 5);
  PairingRunOptions options = always_available(topology, 0.1);
  Watch watch;
  PairingRun run(options, &watch);
  watch.run = &run;
  run.run_until(5.0);
  for (int worker = 1; worker < 5; ++worker)
    run.finish(worker);
  run.run_until(6.0);
  const auto before = run.edge_meetings();
  run.run_until(16.0);
  const auto after = run.edge_meetings();
  EXPECT_GE(after.at({0, 1}) - before.at({0, 1}), 20u);
  EXPECT_GE(after.at({0, 4}) - before.at({0, 4}), 20u);
  EXPECT_EQ(after.at({1, 2}), before.at({1, 2}));
  EXPECT_EQ(after.at({2, 3}), before.at({2, 3}));
  for (int worker = 0; worker < 5; ++worker)
    run.stop(worker);
  run.run_until(17.0);
  const std::uint64_t total = run.total_meetings();
  run.run_until(30.0);
  EXPECT_EQ(run.total_meetings(), total);
}

TEST(PairingRun, AWorkerThatDiedHoldsUpNobodyForLong) {
  const Topology topology = Topology::make("ring", 6);
  PairingRunOptions options = always_available(topology, 0.1);
  options.exchange_timeout = 2.0;
  Watch watch;
  PairingRun run(options, &watch);
  watch.run = &run;
  run.run_until(5.0);
  run.crash(2);
  run.run_until(5.0 + 2.0 + 2.0);
  const auto before = run.meetings();
  run.run_until(19.0);
  for (const int worker : {0, 1, 3, 4, 5}) {
    const auto k = static_cast<std::size_t>(worker);
    EXPECT_GE(run.meetings()[k] - before[k], 30u);
  }
  const std::uint64_t edge = run.edge_meetings().at({1, 2});
  run.restart(2);
  run.run_until(29.0);
  EXPECT_GE(run.edge_meetings().at({1, 2}) - edge, 20u) << "a new incarnation is met like anyone";
}

/// One random life: a graph, a network that delays, loses, doubles and reorders, workers that crash, come
/// back and finish; then the faults stop.
class PairingFuzz : public testing::TestWithParam<int> {};

TEST_P(PairingFuzz, IsSafeAlwaysAndGoesOnWhenTheFaultsStop) {
  for (int round = 0; round < 6; ++round) {
    const std::uint64_t seed =
        static_cast<std::uint64_t>(GetParam()) * 1000u + static_cast<std::uint64_t>(round);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto pick = [&](auto low, auto high) {
      return std::uniform_int_distribution<decltype(low)>(low, high)(random);
    };
    const auto uniform = [&](double low, double high) {
      return std::uniform_real_distribution<double>(low, high)(random);
    };
    const char* graphs[] = {"ring", "path", "star", "complete"};
    const char* policies[] = {"holdoff", "holdoff", "fifo", "target"};
    const int workers = pick(3, 9);
    const Topology topology = Topology::make(graphs[pick(0, 3)], workers);
    PairingRunOptions options = always_available(topology, uniform(0.001, 0.3));
    options.pairing.policy = policies[pick(0, 3)];
    options.pairing.unlimited_budget = pick(0, 1) == 1;
    options.pairing.deterministic_budget = pick(0, 1) == 1;
    options.step_time = [](int, Random& chance) {
      return std::uniform_real_distribution<double>(0.05, 0.2)(chance);
    };
    options.latency = uniform(1e-5, 0.05);
    options.latency_spread = uniform(0.0, 0.15);
    options.reorder = pick(0, 1) == 1;
    options.loss = uniform(0.0, 0.3);
    options.duplication = uniform(0.0, 0.3);
    options.exchange_timeout = uniform(0.5, 3.0);
    options.gone_after = uniform(0.5, 3.0);
    options.seed = seed;
    Watch watch;
    PairingRun run(options, &watch);
    watch.run = &run;
    std::set<int> finished;
    while (run.now() < 60.0) {
      run.run_until(run.now() + uniform(0.5, 10.0));
      const int worker = pick(0, workers - 1);
      switch (pick(0, 4)) {
        case 0:
          if (run.alive(worker)) run.crash(worker);
          break;
        case 1:
          if (run.alive(worker)) break;
          run.restart(worker);
          finished.erase(worker);
          break;
        case 2:
          if (!run.alive(worker) || finished.size() + 2 > static_cast<std::size_t>(workers)) break;
          run.finish(worker);
          finished.insert(worker);
          break;
        default:
          break;
      }
    }
    run.set_faults(0.0, 0.0);
    run.run_until(run.now() + 20.0);  // penalties and beliefs heal
    const auto before = run.meetings();
    run.run_until(run.now() + 60.0);
    for (int worker = 0; worker < workers; ++worker) {
      if (!run.alive(worker) || finished.contains(worker)) continue;
      const auto& neighbours = topology.neighbours(worker);
      if (std::none_of(neighbours.begin(), neighbours.end(),
                       [&](const Neighbour& n) { return run.alive(n.worker); }))
        continue;
      const auto k = static_cast<std::size_t>(worker);
      EXPECT_GE(run.meetings()[k] - before[k], 5u) << "worker " << worker << " of " << workers << " on a "
                                                   << topology.name() << " by " << options.pairing.policy;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PairingFuzz, testing::Range(0, 20));

/// Messages that come later than every timeout: nothing can be promised but safety.
TEST(PairingRun, StaysSafeWhenMessagesOutliveTheirTimeouts) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    PairingRunOptions options = always_available(Topology::make("complete", 5), 0.2);
    options.pairing.offer_timeout = 0.2;
    options.pairing.start_timeout = 0.3;
    options.latency_spread = 1.0;
    options.reorder = true;
    options.duplication = 0.3;
    options.exchange_timeout = 0.7;
    options.seed = seed;
    Watch watch;
    PairingRun run(options, &watch);
    watch.run = &run;
    run.run_until(200.0);
    EXPECT_GT(run.messages(MessageKind::kWithdrawn), 0u);
    EXPECT_GT(run.total_meetings(), 0u);
  }
}

}  // namespace
}  // namespace duet::simulation
