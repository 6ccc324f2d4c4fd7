#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "exchange/meeting.h"
#include "exchange/tree_pass.h"
#include "unit/exchange/endpoints.h"

namespace duet::exchange {
namespace {

using test::drive;
using test::Worker;

constexpr std::size_t kBlockElements = 64;
constexpr std::size_t kBlocks = 9;
constexpr std::size_t kElements = kBlocks * kBlockElements;
constexpr int kDepth = 3;

struct Weather {
  const char* name;
  const char* faults;
  bool rejects;  // damaged blocks are refused
  bool breaks;   // some meetings break
  double timeout;
};

void PrintTo(const Weather& value, std::ostream* out) {
  *out << value.name;
}

class MeetingsIn : public ::testing::TestWithParam<Weather> {};

/// Largest change of x + d + ½z summed over both workers, per block.
std::vector<double> drift(const Worker& a, const Worker& b, const std::vector<double>& before) {
  const auto one = a.invariant(), other = b.invariant();
  std::vector<double> most(kBlocks);
  for (std::size_t i = 0; i < kElements; ++i) {
    most[i / kBlockElements] = std::max(most[i / kBlockElements], std::abs(one[i] + other[i] - before[i]));
  }
  return most;
}

TEST_P(MeetingsIn, EndAndTouchNothingThatDoesNotHold) {
  const Weather& weather = GetParam();
  Worker a({kElements}, true, kBlockElements * sizeof(float), 1, kDepth, DType::kFloat32, weather.faults);
  Worker b({kElements}, true, kBlockElements * sizeof(float), 2, kDepth, DType::kFloat32, weather.faults);
  std::unique_ptr<transport::Connection> to_a, to_b;
  const int count = test::full_counts() ? 2000 : 200;
  int complete = 0, broken = 0, rejected = 0;
  for (int m = 1; m <= count; ++m) {
    if (to_a == nullptr) std::tie(to_b, to_a) = test::connect(*a.context, "worker a", *b.context, "worker b");
    std::vector<double> before = a.invariant();
    const auto others = b.invariant();
    for (std::size_t i = 0; i < kElements; ++i)
      before[i] += others[i];

    auto plan = test::plan(static_cast<std::uint64_t>(m), 0.1, 0.4, weather.timeout);
    Meeting one(*a.replica, *to_b, a.staging, plan, test::seconds());
    plan.coefficients.c = 0.25;
    Meeting other(*b.replica, *to_a, b.staging, plan, test::seconds());
    bool one_over = false, other_over = false;
    ASSERT_TRUE(drive({a.context.get(), b.context.get()},
                      [&] {
                        one_over = one_over || one.advance(test::seconds());
                        other_over = other_over || other.advance(test::seconds());
                        // As a worker does, which is how the other one hears of it.
                        if (one_over && !one.result().connection_usable) to_b.reset();
                        if (other_over && !other.result().connection_usable) to_a.reset();
                        return one_over && other_over;
                      }))
        << "meeting " << m;

    const auto changed = drift(a, b, before);
    const auto [fewer, more] = std::minmax(one.result().blocks_applied, other.result().blocks_applied);
    ASSERT_LE(more - fewer, static_cast<std::size_t>(kDepth));
    for (std::size_t k = 0; k < kBlocks; ++k) {
      // On both sides or on neither: nothing but roundings. On one side: half the distance, at most.
      ASSERT_LT(changed[k], k >= fewer && k < more ? 10.0 : 1e-5) << "meeting " << m << ", block " << k;
    }
    for (const Meeting* meeting : {&one, &other}) {
      const MeetingResult& result = meeting->result();
      ASSERT_EQ(result.complete, result.error.empty());
      ASSERT_EQ(result.complete, result.connection_usable);
      ASSERT_TRUE(!result.complete || result.blocks_applied == kBlocks);
      if (result.rejected) ++rejected;
    }
    if (one.result().complete && other.result().complete) {
      ++complete;
    } else {
      ++broken;
      to_a.reset();
      to_b.reset();
    }
    ASSERT_LE(a.staging->slots(), 4U * kDepth);
  }
  EXPECT_GT(complete, 0);
  EXPECT_EQ(broken > 0, weather.breaks) << broken << " of " << count;
  EXPECT_EQ(rejected > 0, weather.rejects) << rejected << " of " << count;
  to_a.reset();
  to_b.reset();
  EXPECT_TRUE(drive({a.context.get(), b.context.get()},
                    [&] { return a.staging->lent() == 0 && b.staging->lent() == 0; }));
  a.each([](float x, float d, float z) {
    ASSERT_LT(std::abs(x) + std::abs(d) + std::abs(z), 20.0F) << "a flipped bit got through";
  });
}

const Weather kWeathers[] = {
    {"calm", "delay=0.0002", false, false, 20.0},
    {"slow", "bandwidth=2e7,seed=5", false, false, 20.0},
    {"corrupt", "corrupt=0.02,seed=3", true, true, 20.0},
    {"dropping", "drop=0.005,seed=4", false, true, 0.1},
    {"disconnecting", "disconnect=0.01,seed=5", false, true, 20.0},
    {"all_at_once", "delay=0.0001,corrupt=0.005,drop=0.002,disconnect=0.005,seed=6", true, true, 0.2},
};

INSTANTIATE_TEST_SUITE_P(Weathers, MeetingsIn, ::testing::ValuesIn(kWeathers),
                         [](const auto& weather) { return std::string(weather.param.name); });

class TreesIn : public ::testing::TestWithParam<Weather> {};

/// Attempt after attempt over a lossy network: in the end all have the one result.
TEST_P(TreesIn, EndWithOneResultForAll) {
  const Weather& weather = GetParam();
  constexpr std::size_t kMembers = 4;
  int attempts = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<double> mean(kElements);
    for (std::size_t i = 0; i < kMembers; ++i) {
      // Other sessions, other faults.
      workers.push_back(std::make_unique<Worker>(std::vector<std::size_t>{kElements}, true,
                                                 kBlockElements * sizeof(float), static_cast<unsigned>(i),
                                                 kDepth, DType::kFloat32, weather.faults));
      const auto mine = workers.back()->invariant();
      for (std::size_t k = 0; k < kElements; ++k)
        mean[k] += mine[k] / kMembers;
    }
    std::vector<bool> has(kMembers);
    for (std::uint64_t attempt = 1; !std::all_of(has.begin(), has.end(), [](bool it) { return it; });
         ++attempt) {
      ASSERT_LT(attempt, 200U);
      ++attempts;
      // 0 — 1, 0 — 2, 2 — 3.
      std::unique_ptr<transport::Connection> up[kMembers];
      std::vector<std::unique_ptr<transport::Connection>> down[kMembers];
      for (const auto& [child, parent] : {std::pair{1, 0}, {2, 0}, {3, 2}}) {
        auto [to_parent, to_child] =
            test::connect(*workers[child]->context, "worker " + std::to_string(child),
                          *workers[parent]->context, "worker " + std::to_string(parent));
        up[child] = std::move(to_parent);
        down[parent].push_back(std::move(to_child));
      }
      std::vector<std::unique_ptr<TreePass>> passes;
      for (std::size_t i = 0; i < kMembers; ++i) {
        TreeLinks links;
        links.parent = up[i].get();
        for (const auto& child : down[i])
          links.children.push_back(child.get());
        TreePlan plan;
        plan.operation = TreeOperation::kFinalAverage;
        plan.number = attempt;
        plan.has_result = has[i];
        plan.rank = static_cast<int>(i);
        plan.world_size = kMembers;
        plan.timeout = weather.timeout;
        passes.push_back(std::make_unique<TreePass>(*workers[i]->replica, links, plan, test::seconds()));
      }
      std::vector<bool> over(kMembers);
      std::vector<transport::Context*> contexts;
      for (const auto& worker : workers)
        contexts.push_back(worker->context.get());
      ASSERT_TRUE(drive(contexts, [&] {
        for (std::size_t i = 0; i < kMembers; ++i) {
          over[i] = over[i] || passes[i]->advance(test::seconds());
          if (over[i] && !passes[i]->complete()) {
            up[i].reset();
            down[i].clear();
          }
        }
        return std::all_of(over.begin(), over.end(), [](bool it) { return it; });
      }));
      for (std::size_t i = 0; i < kMembers; ++i) {
        if (!passes[i]->complete()) continue;
        has[i] = true;
        EXPECT_EQ(passes[i]->members(), static_cast<int>(kMembers));
      }
    }
    for (const auto& worker : workers) {
      EXPECT_EQ(worker->parameters, workers[0]->parameters);
      std::size_t k = 0;
      worker->each([&](float x, float d, float z) {
        ASSERT_NEAR(x, mean[k++], 1e-5);
        ASSERT_EQ(d, 0.0F);
        ASSERT_EQ(z, 0.0F);
      });
    }
  }
  EXPECT_EQ(attempts > 10, weather.breaks) << attempts << " attempts in 10 rounds";
}

INSTANTIATE_TEST_SUITE_P(Weathers, TreesIn, ::testing::ValuesIn(kWeathers),
                         [](const auto& weather) { return std::string(weather.param.name); });

}  // namespace
}  // namespace duet::exchange
