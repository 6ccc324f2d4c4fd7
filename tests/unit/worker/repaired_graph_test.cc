#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The peers with which a worker has met since `before`.
std::set<int> met_since(const duet::WorkerStatistics& before, const duet::WorkerStatistics& now) {
  std::set<int> peers;
  for (const auto& edge : now.edges) {
    std::uint64_t known = 0;
    for (const auto& earlier : before.edges)
      if (earlier.peer == edge.peer) known = earlier.meetings;
    if (edge.meetings > known) peers.insert(edge.peer);
  }
  return peers;
}

/// Rank 2 of five leaves in the middle; the others train on until the two beside the gap have met.
void leave_a_gap(const std::string& algorithm) {
  Options options = threads_options();
  options.algorithm = algorithm;
  std::atomic<bool> gap_closed{false};
  std::atomic<int> trained{0};
  std::vector<double> totals(5, 0.0);
  std::vector<std::vector<float>> ends(5);
  const auto errors = run_workers(5, options, [&](const Options& mine) {
    std::vector<float> x(500, 0.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    const auto train = [&] {
      worker.step([&] {
        for (float& value : x)
          value += static_cast<float>(mine.rank);
        totals[static_cast<std::size_t>(mine.rank)] += mine.rank;
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    for (int step = 0; step < 100; ++step)
      train();
    if (mine.rank == 2) return;  // leaves without finish()
    const auto before = worker.statistics();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!gap_closed && std::chrono::steady_clock::now() < deadline) {
      train();
      if (mine.rank == 1 && met_since(before, worker.statistics()).contains(3)) gap_closed = true;
    }
    for (const auto& edge : worker.statistics().edges) {
      // The others may not have heard yet.
      if (mine.rank == 1 && edge.peer == 2) {
        EXPECT_EQ(edge.target_rate, 0.0) << "no edge of the present graph";
      }
    }
    const auto result = worker.finish();
    EXPECT_THAT(result.members, ElementsAre(0, 1, 3, 4));
    ends[static_cast<std::size_t>(mine.rank)] = x;
    ++trained;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_TRUE(gap_closed) << "1 and 3 did not meet although 2 was gone";
  EXPECT_EQ(trained.load(), 4);
  for (const auto& end : ends) {
    if (!end.empty()) {
      EXPECT_EQ(end, ends[0]);
    }
  }
}

TEST(RepairedGraph, ARingClosesOverTheGap) {
  leave_a_gap("a2cid2");
}

TEST(RepairedGraph, AlsoForThePlainBaseline) {
  leave_a_gap("adpsgd");
}

/// A policy of the embedder's own: everyone meets the lowest that is there.
class AroundTheLowest : public duet::TopologyPolicy {
 public:
  duet::Topology graph(const std::vector<int>& members) const override {
    {
      const std::lock_guard lock(mutex_);
      asked_.insert(members);
    }
    if (static_cast<int>(members.size()) < least_) throw std::runtime_error("too few for me");
    return duet::Topology::make("star", static_cast<int>(members.size()), 1.0);
  }
  std::set<std::vector<int>> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  int least_ = 2;

 private:
  mutable std::mutex mutex_;
  mutable std::set<std::vector<int>> asked_;
};

TEST(RepairedGraph, AUsersPolicyIsAskedForThoseWhoAreLeft) {
  const auto policy = std::make_shared<AroundTheLowest>();
  Options options = threads_options();
  options.topology_policy = policy;
  std::atomic<bool> new_centre{false};
  const auto errors = run_workers(4, options, [&](const Options& mine) {
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    EXPECT_EQ(worker.topology().name(), "star");
    for (int step = 0; step < 50; ++step) {
      worker.step([] {});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (mine.rank == 0) return;  // the centre leaves
    const auto before = worker.statistics();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!new_centre && std::chrono::steady_clock::now() < deadline) {
      worker.step([] {});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (mine.rank == 3 && met_since(before, worker.statistics()).contains(1)) new_centre = true;
    }
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_TRUE(new_centre);
  EXPECT_THAT(policy->asked(), Contains(std::vector<int>{1, 2, 3}));
}

TEST(RepairedGraph, APolicyThatFailsAtTheStartIsAnError) {
  const auto policy = std::make_shared<AroundTheLowest>();
  policy->least_ = 10;
  Options options = threads_options();
  options.topology_policy = policy;
  const auto errors = run_workers(2, options, [&](const Options& mine) {
    std::vector<float> x(10);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
  });
  for (const auto& error : errors)
    EXPECT_THAT(error, HasSubstr("too few for me"));
}

TEST(RepairedGraph, APolicyThatFailsLaterCostsNothingButTheRepair) {
  const auto policy = std::make_shared<AroundTheLowest>();
  policy->least_ = 4;
  Options options = threads_options();
  options.topology_policy = policy;
  const auto errors = run_workers(4, options, [&](const Options& mine) {
    std::vector<float> x(10);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    if (mine.rank == 3) return;
    for (int step = 0; step < 300; ++step) {
      worker.step([] {});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const auto result = worker.finish();
    EXPECT_THAT(result.members, ElementsAre(0, 1, 2));
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

}  // namespace
