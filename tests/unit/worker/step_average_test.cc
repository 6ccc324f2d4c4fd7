#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "unit/worker/tree_bench.h"

/// The averages of a synchronous algorithm's steps, whoever dies, leaves or loses a connection when: whoever
/// has completed average s and lives has the same parameters after it, to the bit.
namespace duet::worker {
namespace {

using membership::Phase;
using test::Bench;

/// What the trainers do: update, average, and so on until `goal`, then finish().
class Training {
 public:
  Training(int members, int goal, unsigned seed, const std::string& faults = {})
      : bench(test::bench_options(members), 60, false, faults), goal_(goal), random_(seed) {
    trainers_.resize(static_cast<std::size_t>(members));
    bench.on_turn = [this](int rank) { train(rank); };
  }

  void train(int rank) {
    Trainer& mine = trainers_[static_cast<std::size_t>(rank)];
    test::Member& member = bench[rank];
    if (mine.finished) return;
    if (mine.waits) {
      const auto state = member.runner->advance(bench.now);
      if (state == TreeRunner::State::kRunning) return;
      ASSERT_EQ(state, TreeRunner::State::kComplete) << member.runner->error();
      mine.waits = false;
      check(rank);
      return;
    }
    if (pause(rank)) return;
    if (member.runner->steps_completed() >= static_cast<std::uint64_t>(goal_)) {
      mine.finished = true;
      bench.finish(rank);
      return;
    }
    // Everyone's own update, with roundings that show any other order or set of summands.
    for (float& value : member.x)
      value += 0.1F * static_cast<float>(rank + 1) + 1e-3F * static_cast<float>(random_() % 1000);
    TreeRunner::Request request;
    request.purpose = TreePurpose::kStep;
    request.operation = exchange::TreeOperation::kAverage;
    request.timeout = 30.0;
    request.deadline = bench.now + 1000.0;
    member.runner->start(request, bench.now);
    mine.waits = true;
  }

  /// After an average: is it what the others have, as long as they live?
  void check(int rank) {
    const auto step = bench[rank].runner->steps_completed();
    ++completed;
    for (const auto& [other, x] : after_[step]) {
      if (!bench[other].alive) continue;
      ++compared;
      ASSERT_EQ(bench[rank].x, x) << "after step " << step << ", ranks " << rank << " and " << other;
    }
    after_[step][rank] = bench[rank].x;
  }

  /// A few turns of everyone, in random order, with heartbeats now and then.
  void turns(int count) {
    for (int i = 0; i < count; ++i) {
      const int rank = static_cast<int>(random_() % static_cast<unsigned>(bench.size()));
      bench.turn(rank);
      if (random_() % 16 == 0) bench.beat_from_living(rank);
    }
  }

  bool to_the_end(double seconds) {
    return bench.run(seconds, [this] {
      for (int rank = 0; rank < bench.size(); ++rank) {
        if (bench[rank].alive && !bench.concluded(rank)) return false;
      }
      return true;
    });
  }

  /// How far the living are apart.
  std::uint64_t spread() {
    std::set<std::uint64_t> steps;
    for (int rank = 0; rank < bench.size(); ++rank) {
      if (bench[rank].alive) steps.insert(bench[rank].runner->steps_completed());
    }
    return steps.empty() ? 0 : *steps.rbegin() - *steps.begin();
  }

  Bench bench;
  int completed = 0;
  int compared = 0;
  /// How long a trainer computes, in turns.
  unsigned compute = 8;

 private:
  struct Trainer {
    bool waits = false;
    bool finished = false;
  };
  bool pause(int) { return compute > 0 && random_() % compute != 0; }

  int goal_;
  std::mt19937 random_;
  std::vector<Trainer> trainers_;
  std::map<std::uint64_t, std::map<int, std::vector<float>>> after_;
};

void expect_equal_ends(Training& run) {
  std::vector<int> survivors;
  for (int rank = 0; rank < run.bench.size(); ++rank) {
    if (run.bench[rank].alive) survivors.push_back(rank);
  }
  for (const int rank : survivors) {
    ASSERT_TRUE(run.bench.concluded(rank));
    EXPECT_EQ(run.bench[rank].result.get().members, survivors);
    EXPECT_EQ(run.bench[rank].x, run.bench[survivors[0]].x);
  }
}

TEST(StepAverage, EveryoneIsEqualAfterEveryStep) {
  Training run(4, 20, 1);
  ASSERT_TRUE(run.to_the_end(60.0));
  EXPECT_EQ(run.completed, 80);
  EXPECT_EQ(run.compared, 20 * 6);
  expect_equal_ends(run);
}

/// They fall at random moments: killed (their connections break), frozen (they do not), or they leave by
/// themselves.
void lose(Training& run, int victim, unsigned how) {
  switch (how % 3) {
    case 0:
      run.bench[victim].die();
      break;
    case 1:
      run.bench[victim].alive = false;
      break;
    case 2:
      run.bench[victim].liveness->set_phase(Phase::kLeft);
      run.bench.beat_from(victim);
      run.bench[victim].die();
      break;
  }
}

TEST(StepAverage, LossesAtAnyMomentLeaveTheOthersEqual) {
  int apart = 0, lost = 0;
  const unsigned trials = std::getenv("DUET_TEST_FULL") != nullptr ? 3000 : 300;
  for (unsigned trial = 0; trial < trials; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial));
    std::mt19937 random(trial);
    const int members = 3 + static_cast<int>(random() % 4);
    Training run(members, 6, random());
    run.compute = random() % 2 == 0 ? 2 : 30;
    run.bench.beat();
    for (int losses = 1 + static_cast<int>(random() % static_cast<unsigned>(members - 2)); losses > 0;
         --losses) {
      run.turns(static_cast<int>(random() % (200u * static_cast<unsigned>(members))));
      // Moments when some have an average and others do not are short.
      for (int i = 0; trial % 2 == 0 && i < 2000 && run.spread() == 0; ++i)
        run.turns(1);
      const int victim = static_cast<int>(random() % static_cast<unsigned>(members));
      if (!run.bench[victim].alive || run.bench.view(victim).of(victim).phase != Phase::kTraining) continue;
      lose(run, victim, random());
      ++lost;
      apart += run.spread() > 0 ? 1 : 0;
    }
    ASSERT_TRUE(run.to_the_end(300.0));
    if (HasFatalFailure()) return;
    expect_equal_ends(run);
  }
  // The test would prove nothing if nobody were ever lost, or ahead.
  EXPECT_GT(lost, static_cast<int>(trials) / 2);
  EXPECT_GT(apart, static_cast<int>(trials) / 5);
}

/// Connections that break again and again, with nobody dead.
TEST(StepAverage, BrokenConnectionsCostAttemptsAndNothingElse) {
  int steps = 0;
  std::uint64_t attempts = 0;
  const int trials = std::getenv("DUET_TEST_FULL") != nullptr ? 300 : 40;
  for (int trial = 0; trial < trials; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial));
    Training run(4, 8, static_cast<unsigned>(trial), "disconnect=0.003,seed=" + std::to_string(trial));
    run.bench.beat();
    // The final average may fail for good in such weather; the steps must not.
    run.bench.run(600.0, [&] {
      bool all = true;
      for (int rank = 0; rank < 4; ++rank)
        all = all && run.bench[rank].runner->steps_completed() == 8;
      return all;
    });
    if (HasFatalFailure()) return;
    for (int rank = 0; rank < 4; ++rank)
      ASSERT_EQ(run.bench[rank].runner->steps_completed(), 8U);
    steps += run.completed;
    attempts += run.bench.view(0).of(0).attempt;
  }
  EXPECT_EQ(steps, trials * 4 * 8);
  EXPECT_GT(attempts, static_cast<std::uint64_t>(trials)) << "or nothing was tested";
}

/// All stop after the same step, and one is far quicker than the rest: that it has finished is no reason to
/// throw away the average that they are about to complete.
TEST(StepAverage, WhoFinishesEarlyTakesNothingWithIt) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Training run(4, 3, seed);
    run.compute = 0;
    ASSERT_TRUE(run.to_the_end(30.0));
    if (HasFatalFailure()) return;
    for (int rank = 0; rank < 4; ++rank) {
      EXPECT_EQ(run.bench.view(rank).of(rank).attempt, 0U) << "nothing had to be repeated";
      EXPECT_EQ(run.bench[rank].runner->steps_completed(), 3U);
    }
    expect_equal_ends(run);
  }
}

/// The same, where it does not wait for them: it leaves as soon as its own pass is complete.
TEST(StepAverage, ALeaversLastAverageIsCompletedAndNotRepeated) {
  int left_first = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Training run(3, 1, seed);
    run.compute = 0;
    run.bench.beat();
    const int leaver = static_cast<int>(seed % 3);
    // Its runner stays as it is: what it sent is on its way, and the connection is not closed under it.
    for (int i = 0; i < 5000 && run.bench[leaver].runner->steps_completed() == 0; ++i)
      run.turns(1);
    ASSERT_EQ(run.bench[leaver].runner->steps_completed(), 1U);
    const bool first = run.spread() > 0;
    left_first += first ? 1 : 0;
    run.bench[leaver].liveness->set_phase(Phase::kLeft);
    run.bench.beat_from(leaver);
    run.bench[leaver].busy = true;
    for (int i = 0; i < 2000; ++i)
      run.turns(1);
    // alive: what the others complete is compared with the leaver's.
    for (int rank = 0; rank < 3; ++rank)
      EXPECT_EQ(run.bench[rank].runner->steps_completed(), 1U);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(left_first, 20);
}

}  // namespace
}  // namespace duet::worker
