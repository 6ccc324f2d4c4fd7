#include "telemetry/tick_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tick_network.h"

namespace duet::telemetry {
namespace {

// Worker's part of a tick: its sketch is `at` along one axis, so that distances can be told by eye.
control::TickSums part(std::uint64_t tick, double at, std::uint64_t steps = 10) {
  control::TickSums sums;
  sums.tick = tick;
  sums.steps = steps;
  sums.samples = 32 * steps;
  sums.meeting_ends = 2 * steps;
  sums.sketch.assign(kSketchSize, 0.0);
  sums.sketch[7] = at;
  return sums;
}

// Workers at 0, 1, 2, …: mean (n−1)/2, variance (n²−1)/12.
void expect_line(const RunStatus& status, std::uint64_t tick, int workers, int self) {
  const double n = workers;
  EXPECT_EQ(status.tick, tick);
  EXPECT_EQ(status.members, workers);
  EXPECT_NEAR(status.consensus_distance, std::sqrt((n * n - 1.0) / 12.0), 1e-9);
  EXPECT_NEAR(status.distance_to_mean, std::abs(self - (n - 1.0) / 2.0), 1e-9);
  EXPECT_EQ(status.steps, 10u * static_cast<unsigned>(workers));
  EXPECT_EQ(status.samples, 320u * static_cast<unsigned>(workers));
  EXPECT_EQ(status.meetings, 10u * static_cast<unsigned>(workers));
}

void all_own(TickNetwork& network, std::uint64_t tick) {
  for (int i = 0; i < network.size(); ++i)
    network.own(i, part(tick, i));
}

TEST(TickTree, EveryWorkerLearnsTheRunAndItsOwnDistance) {
  for (const int workers : {1, 2, 3, 8, 16, 17}) {  // a ring of 16 is a tree 8 deep
    TickNetwork network(ring_parents(workers));
    all_own(network, 5);
    network.deliver_all();
    for (int i = 0; i < workers; ++i) {
      const auto completed = network.of(i).take_completed();
      ASSERT_EQ(completed.size(), 1u) << i << " of " << workers;
      expect_line(completed[0], 5, workers, i);
      EXPECT_TRUE(network.of(i).take_completed().empty());
      EXPECT_EQ(network.of(i).broken(), 0u);
    }
  }
}

TEST(TickTree, SendsOneMessagePerEdgeAndWay) {
  TickNetwork network(ring_parents(8));
  all_own(network, 1);
  int messages = 0;
  while (network.deliver())
    ++messages;
  EXPECT_EQ(messages, 14);
}

TEST(TickTree, PartsMayComeInAnyOrder) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const int workers = 12;
    TickNetwork network(ring_parents(workers), 2.0, seed);
    network.reorder = 1.0;
    std::vector<int> order(workers);
    for (int i = 0; i < workers; ++i)
      order[static_cast<std::size_t>(i)] = i;
    std::mt19937 engine(seed);
    std::shuffle(order.begin(), order.end(), engine);
    for (const int i : order) {
      network.own(i, part(3, i));
      if (engine() % 2 == 0) network.deliver();
    }
    network.deliver_all();
    for (int i = 0; i < workers; ++i) {
      const auto completed = network.of(i).take_completed();
      ASSERT_EQ(completed.size(), 1u);
      expect_line(completed[0], 3, workers, i);
    }
  }
}

TEST(TickTree, AWorkerAloneIsItsOwnMean) {
  TickNetwork network({-1});
  network.own(0, part(9, 1234.5));
  const auto completed = network.of(0).take_completed();
  ASSERT_EQ(completed.size(), 1u);
  EXPECT_EQ(completed[0].consensus_distance, 0.0);
  EXPECT_EQ(completed[0].distance_to_mean, 0.0);
  EXPECT_EQ(completed[0].members, 1);
}

TEST(TickTree, LossIsTheMeanOfThoseThatReportedOne) {
  TickNetwork network(ring_parents(4));
  for (int i = 0; i < 4; ++i) {
    control::TickSums own = part(1, i);
    if (i >= 2) {
      own.losses = 1;
      own.loss_sum = i;
    }
    network.own(i, own);
  }
  network.deliver_all();
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(network.of(i).take_completed().at(0).loss, 2.5);
}

TEST(TickTree, LossIsNaNWhenNobodyReportedOne) {
  TickNetwork network(ring_parents(4));
  all_own(network, 1);
  network.deliver_all();
  EXPECT_TRUE(std::isnan(network.of(3).take_completed().at(0).loss));
}

TEST(TickTree, AMissingMemberBreaksTheTickForAll) {
  const int workers = 9;
  for (int missing = 0; missing < workers; ++missing) {
    TickNetwork network(ring_parents(workers));
    for (int i = 0; i < workers; ++i) {
      if (i != missing) network.own(i, part(4, i));
    }
    network.deliver_all();
    network.pass_time(1.9);
    for (int i = 0; i < workers; ++i)
      EXPECT_EQ(network.of(i).broken(), 0u) << "before its time";
    network.pass_time(0.2);
    for (int i = 0; i < workers; ++i) {
      EXPECT_TRUE(network.of(i).take_completed().empty());
      EXPECT_LE(network.of(i).broken(), 1u);
      if (i != missing) {
        EXPECT_EQ(network.of(i).broken(), 1u) << i;
      }
    }
    all_own(network, 5);
    network.deliver_all();
    for (int i = 0; i < workers; ++i)
      EXPECT_EQ(network.of(i).take_completed().size(), 1u) << "the next one is whole";
  }
}

TEST(TickTree, LatePartsOfADroppedTickDoNotBeginItAnew) {
  TickNetwork network(ring_parents(3));
  network.own(0, part(4, 0));
  network.own(1, part(4, 1));
  network.deliver_all();
  network.pass_time(3.0);
  const std::uint64_t broken = network.of(0).broken();
  EXPECT_EQ(broken, 1u);
  network.own(2, part(4, 2));  // late
  network.own(0, part(4, 0));
  network.deliver_all();
  network.pass_time(3.0);
  EXPECT_EQ(network.of(0).broken(), broken);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(network.of(i).take_completed().empty());
}

TEST(TickTree, RepeatedMessagesCountOnce) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    TickNetwork network(ring_parents(7), 2.0, seed);
    network.repeat = 0.6;
    network.reorder = 0.5;
    all_own(network, 2);
    all_own(network, 2);
    network.deliver_all();
    for (int i = 0; i < 7; ++i) {
      const auto completed = network.of(i).take_completed();
      ASSERT_EQ(completed.size(), 1u);
      expect_line(completed[0], 2, 7, i);
    }
  }
}

TEST(TickTree, SeveralTicksMayBeUnderWay) {
  TickNetwork network(ring_parents(6));
  for (std::uint64_t tick = 1; tick <= 10; ++tick)
    all_own(network, tick);
  network.deliver_all();
  for (int i = 0; i < 6; ++i) {
    const auto completed = network.of(i).take_completed();
    ASSERT_EQ(completed.size(), 10u);
    for (std::uint64_t tick = 1; tick <= 10; ++tick)
      expect_line(completed[tick - 1], tick, 6, i);
    EXPECT_EQ(network.of(i).broken(), 0u);
  }
}

// Whatever is lost, repeated, reordered and late: every status that comes out is right, in ascending order,
// and every tick is accounted for.
TEST(TickTree, WithAnUnreliableNetworkValuesAreMissingNeverWrong) {
  std::size_t completed_in_all = 0, broken_in_all = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const int workers = 10;
    TickNetwork network(ring_parents(workers), 1.0, seed);
    network.lose = 0.02;
    network.repeat = 0.1;
    network.reorder = 0.3;
    std::mt19937 engine(seed);
    const std::uint64_t ticks = 30;
    for (std::uint64_t tick = 1; tick <= ticks; ++tick) {
      all_own(network, tick);
      for (unsigned i = engine() % 40; i > 0; --i)
        network.deliver();
      network.pass_time(0.2);
    }
    network.deliver_all();
    network.pass_time(2.0);
    for (int i = 0; i < workers; ++i) {
      const auto completed = network.of(i).take_completed();
      std::uint64_t last = 0;
      for (const RunStatus& status : completed) {
        expect_line(status, status.tick, workers, i);
        EXPECT_GT(status.tick, last);
        last = status.tick;
      }
      EXPECT_EQ(completed.size() + network.of(i).broken(), ticks) << "worker " << i << ", seed " << seed;
      completed_in_all += completed.size();
      broken_in_all += network.of(i).broken();
    }
  }
  EXPECT_GT(completed_in_all, 1000u);
  EXPECT_GT(broken_in_all, 1000u);
}

TEST(TickTree, ANewTreeDropsWhatIsUnderWayAndStartsClean) {
  TickNetwork network(ring_parents(5));
  for (int i = 0; i < 4; ++i)
    network.own(i, part(8, i));
  network.deliver_all();
  const std::vector<int> without_4 = {-1, 0, 1, 0, -2};
  network.set_parents(without_4, 2);
  EXPECT_EQ(network.of(1).broken(), 1u);
  for (int i = 0; i < 4; ++i)
    network.own(i, part(9, i));
  network.deliver_all();
  for (int i = 0; i < 4; ++i) {
    const auto completed = network.of(i).take_completed();
    ASSERT_EQ(completed.size(), 1u);
    expect_line(completed[0], 9, 4, i);
  }
}

// Worker 3 learns late that the members changed: what it sums under the old tree must not enter the new one,
// although its parent is the same in both.
TEST(TickTree, PartsOfDifferentTreesNeverMix) {
  TickNetwork network(ring_parents(6));  // 0-1-2-3 and 0-5-4
  const std::vector<int> without_5 = {-1, 0, 1, 2, 3, -2};
  for (int i = 0; i < 6; ++i) {
    if (i != 3) network.set_parents_of(i, without_5, 2);
  }
  for (int i = 0; i < 5; ++i)
    network.own(i, part(1, i));
  network.deliver_all();
  network.pass_time(3.0);
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(network.of(i).take_completed().empty()) << i;
  EXPECT_EQ(network.of(0).broken(), 1u);
  network.set_parents_of(3, without_5, 2);
  for (int i = 0; i < 5; ++i)
    network.own(i, part(2, i));
  network.deliver_all();
  for (int i = 0; i < 5; ++i)
    expect_line(network.of(i).take_completed().at(0), 2, 5, i);
}

TEST(TickTree, ASumThatIsNotEveryoneIsDropped) {
  TickTree root(2.0);
  root.set_tree({.parent = -1, .children = {1}, .size = 4, .depth = 0, .height = 2}, 0, 1);
  root.on_own(0.0, part(1, 0.0));
  control::TickSums sums = part(1, 1.0);
  sums.tree = 1;
  sums.members = 2;  // 1 + 2 of 4
  root.on_up(0.0, 1, {sums});
  EXPECT_TRUE(root.take_completed().empty());
  EXPECT_TRUE(root.take_outgoing().empty());
  EXPECT_EQ(root.broken(), 1u);
}

TEST(TickTree, ATotalThatIsNotEveryoneOrThatIsNotAwaitedIsIgnored) {
  TickTree leaf(2.0);
  leaf.set_tree({.parent = 0, .children = {}, .size = 2, .depth = 1, .height = 1}, 1, 1);
  control::TickSums total = part(1, 1.0);
  total.tree = 1;
  total.members = 2;
  leaf.on_down(0.0, 0, {total});  // this worker has no part in it yet
  EXPECT_TRUE(leaf.take_completed().empty());
  leaf.on_own(0.0, part(1, 1.0));
  leaf.on_down(0.0, 5, {total});  // not the parent
  EXPECT_TRUE(leaf.take_completed().empty());
  total.members = 1;
  leaf.on_down(0.0, 0, {total});
  EXPECT_TRUE(leaf.take_completed().empty());
  EXPECT_EQ(leaf.broken(), 1u);
}

TEST(TickTree, MalformedPartsAreIgnored) {
  TickTree root(2.0);
  root.set_tree({.parent = -1, .children = {1}, .size = 2, .depth = 0, .height = 1}, 0, 77);
  control::TickSums good = part(1, 3.0);
  good.tree = 77;
  good.members = 1;
  root.on_own(0.0, part(1, 1.0));
  const auto refuse = [&](auto change) {
    control::TickSums bad = good;
    change(bad);
    root.on_up(0.0, 1, {bad});
    EXPECT_TRUE(root.take_completed().empty());
  };
  refuse([](auto& bad) { bad.tick = 0; });
  refuse([](auto& bad) { bad.tree = 78; });
  refuse([](auto& bad) { bad.members = 0; });
  refuse([](auto& bad) { bad.members = 3; });
  refuse([](auto& bad) { bad.losses = 2; });
  refuse([](auto& bad) { bad.squared_deviations = -1.0; });
  refuse([](auto& bad) { bad.sketch.pop_back(); });
  refuse([](auto& bad) { bad.sketch.clear(); });
  root.on_up(0.0, 2, {good});
  EXPECT_TRUE(root.take_completed().empty());
  root.on_up(0.0, 1, {good});
  ASSERT_EQ(root.take_completed().size(), 1u);
}

TEST(TickTree, APeerThatNamesManyTicksCannotFillTheMemoryNorStopTheRest) {
  TickNetwork network(ring_parents(2));
  for (std::uint64_t tick = 1'000'000; tick < 1'002'000; ++tick) {
    control::TickSums sums = part(tick, 0.0);
    sums.tree = 1;
    sums.members = 1;
    network.of(0).on_up(network.now, 1, {sums});
  }
  EXPECT_GE(network.of(0).broken(), 2000u - 64u);
  network.pass_time(3.0);
  EXPECT_EQ(network.of(0).broken(), 2000u);
}

TEST(TickTree, APositionThatIsNotFiniteMakesDistancesNaNAndLeavesTheCounts) {
  TickNetwork network(ring_parents(3));
  for (int i = 0; i < 3; ++i) {
    network.own(i, part(1, i == 1 ? std::numeric_limits<double>::quiet_NaN() : i));
  }
  network.deliver_all();
  for (int i = 0; i < 3; ++i) {
    const RunStatus status = network.of(i).take_completed().at(0);
    EXPECT_TRUE(std::isnan(status.consensus_distance));
    EXPECT_TRUE(std::isnan(status.distance_to_mean));
    EXPECT_EQ(status.steps, 30u);
  }
}

// Sketches of norm 10⁴ that differ by 10⁻³ (and by less): plain sums of squares would show noise here.
TEST(TickTree, SmallDistancesOfLargeModelsKeepTheirDigits) {
  for (const double distance : {1.0, 1e-3, 1e-6}) {
    const int workers = 16;
    TickNetwork network(ring_parents(workers));
    std::mt19937 engine(1);
    std::normal_distribution<double> normal;
    std::vector<double> common(kSketchSize);
    for (double& value : common)
      value = 1e4 / 32.0 * normal(engine);
    std::vector<std::vector<double>> sketches;
    std::vector<double> mean(kSketchSize, 0.0);
    for (int i = 0; i < workers; ++i) {
      std::vector<double> offset(kSketchSize);
      for (std::size_t k = 0; k < kSketchSize; ++k) {
        offset[k] = distance / 32.0 * normal(engine);
        mean[k] += offset[k] / workers;
      }
      sketches.push_back(offset);
    }
    double squares = 0.0;
    for (int i = 0; i < workers; ++i) {
      control::TickSums own = part(1, 0.0);
      for (std::size_t k = 0; k < kSketchSize; ++k) {
        const double offset = sketches[static_cast<std::size_t>(i)][k];
        own.sketch[k] = common[k] + offset;
        squares += (offset - mean[k]) * (offset - mean[k]);
      }
      network.own(i, own);
    }
    network.deliver_all();
    const double exact = std::sqrt(squares / workers);
    EXPECT_NEAR(network.of(5).take_completed().at(0).consensus_distance / exact, 1.0, 1e-5) << distance;
  }
}

}  // namespace
}  // namespace duet::telemetry
