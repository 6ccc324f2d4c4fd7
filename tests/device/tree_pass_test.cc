// Passes over the members' tree with members on devices, on hosts and on both.
#include "exchange/tree_pass.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "device/rig.h"

namespace duet::test {
namespace {

using exchange::TreeLinks;
using exchange::TreeOperation;
using exchange::TreePass;
using exchange::test::seconds;

struct Case {
  const char* name;
  std::vector<Home> homes;
  DType parameters;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

/// A path of members: 0 is the root.
class Path {
 public:
  explicit Path(const Case& c) {
    const Party::Shape shape{{700, 333, 64, 0, 130}, true, 128, 4, DType::kFloat32, c.parameters};
    for (std::size_t i = 0; i < c.homes.size(); ++i) {
      members.push_back(std::make_unique<Party>(shape, c.homes[i], static_cast<unsigned>(10 * i + 1),
                                                exchange::test::open_context()));
    }
    link();
  }

  void link() {
    up_.clear();
    down_.clear();
    up_.resize(members.size());
    down_.resize(members.size());
    for (std::size_t i = 1; i < members.size(); ++i) {
      std::tie(up_[i], down_[i - 1]) =
          exchange::test::connect(*members[i]->context, "worker " + std::to_string(i),
                                  *members[i - 1]->context, "worker " + std::to_string(i - 1));
    }
  }

  std::vector<std::unique_ptr<TreePass>> begin(TreeOperation operation, std::uint64_t attempt,
                                               std::size_t with_result = SIZE_MAX) {
    std::vector<std::unique_ptr<TreePass>> passes;
    for (std::size_t i = 0; i < members.size(); ++i) {
      TreeLinks links;
      links.parent = up_[i].get();
      if (down_[i] != nullptr) links.children.push_back(down_[i].get());
      members[i]->replica->hand_over();
      exchange::TreePlan plan;
      plan.operation = operation;
      plan.number = attempt;
      plan.has_result = i == with_result;
      plan.rank = static_cast<int>(i);
      plan.world_size = static_cast<int>(members.size());
      plan.timeout = 20.0;
      passes.push_back(std::make_unique<TreePass>(*members[i]->replica, links, plan, seconds()));
    }
    return passes;
  }

  bool turn(const std::vector<std::unique_ptr<TreePass>>& passes) {
    bool over = true;
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i]->context->poll(0);
      over = passes[i]->advance(seconds()) && over;
    }
    return over;
  }

  void run(const std::vector<std::unique_ptr<TreePass>>& passes) {
    const double end = seconds() + 60.0;
    while (!turn(passes))
      ASSERT_LT(seconds(), end);
    for (const auto& pass : passes)
      ASSERT_TRUE(pass->complete()) << pass->error();
    for (const auto& member : members)
      member->replica->take_back();
  }

  std::vector<double> mean() const {
    std::vector<double> sum;
    for (const auto& member : members) {
      const auto mine = member->invariant();
      sum.resize(mine.size());
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += mine[i] / static_cast<double>(members.size());
    }
    return sum;
  }

  std::vector<std::unique_ptr<Party>> members;

 private:
  std::vector<std::unique_ptr<transport::Connection>> up_, down_;
};

class TreePassOnDevice : public OnDevice, public ::testing::WithParamInterface<Case> {};

TEST_P(TreePassOnDevice, AveragesAlikeEverywhere) {
  Path path(GetParam());
  for (std::uint64_t attempt = 1; attempt <= 3; ++attempt) {
    const auto expected = path.mean();
    std::vector<Party::State> before;
    for (const auto& member : path.members)
      before.push_back(member->state());
    std::vector<double> position(expected.size());
    for (const auto& state : before) {
      for (std::size_t i = 0; i < position.size(); ++i)
        position[i] += (double{state.x[i]} + double{state.d[i]}) / static_cast<double>(before.size());
    }
    const auto passes =
        path.begin(attempt % 2 == 1 ? TreeOperation::kFinalAverage : TreeOperation::kAverage, attempt);
    path.run(passes);
    const auto first = path.members[0]->state();
    for (std::size_t m = 0; m < path.members.size(); ++m) {
      EXPECT_EQ(passes[m]->members(), static_cast<int>(path.members.size()));
      const auto state = path.members[m]->state();
      ASSERT_EQ(state, first) << "all end with the same bits";
      double distance = 0.0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(double{state.x[i]} + double{state.d[i]}, expected[i], 4e-6) << "element " << i;
        ASSERT_TRUE(state.d[i] == 0.0F || GetParam().parameters == DType::kBFloat16);
        ASSERT_EQ(state.z[i], 0.0F);
        distance += std::pow(double{before[m].x[i]} + double{before[m].d[i]} - position[i], 2);
      }
      if (attempt % 2 == 1) {
        EXPECT_NEAR(passes[m]->squared_distance(), distance, 1e-4 * distance + 1e-9);
        EXPECT_EQ(passes[m]->counted().size(), path.members.size());
      }
    }
    // Nothing is left to be delivered.
    for (const auto& member : path.members) {
      member->replica->enter_trainer();
      member->replica->deliver();
      member->replica->leave_trainer();
      ASSERT_EQ(member->state(), first);
    }
    // The members move apart again.
    for (std::size_t m = 0; m < path.members.size(); ++m) {
      Party::State moved = path.members[m]->state();
      for (std::size_t i = 0; i < moved.x.size(); ++i)
        moved.z[i] = 0.5F * static_cast<float>(m);
      path.members[m]->write(moved);
    }
  }
}

TEST_P(TreePassOnDevice, BroadcastsTheRootsParameters) {
  Path path(GetParam());
  const auto root = path.members[0]->state().x;
  path.run(path.begin(TreeOperation::kBroadcast, 1));
  for (const auto& member : path.members) {
    const auto state = member->state();
    EXPECT_EQ(state.x, root);
    EXPECT_EQ(state.d, std::vector<float>(root.size()));
    EXPECT_EQ(state.z, std::vector<float>(root.size()));
  }
}

/// A broken pass changes nothing, whatever was under way on devices; whoever has a result passes it on.
TEST_P(TreePassOnDevice, BreaksAtAnyMomentAndChangesNothing) {
  Path path(GetParam());
  std::uint64_t attempt = 1;
  std::vector<Party::State> before;
  for (const auto& member : path.members)
    before.push_back(member->state());
  for (int turns = 0; turns < 12; ++turns) {
    {
      const auto passes = path.begin(TreeOperation::kAverage, attempt++);
      bool over = false;
      for (int i = 0; i < turns && !over; ++i)
        over = path.turn(passes);
      // Who waited for longest may already be done: then this is no longer a pass that broke everywhere.
      if (over || std::any_of(passes.begin(), passes.end(),
                              [](const auto& pass) { return pass->complete() || pass->committing(); })) {
        break;
      }
    }
    path.link();
    for (std::size_t m = 0; m < path.members.size(); ++m) {
      path.members[m]->replica->take_back();
      ASSERT_EQ(path.members[m]->state(), before[m])
          << "member " << m << ", broken after " << turns << " turns";
    }
  }
  path.link();
  path.run(path.begin(TreeOperation::kAverage, attempt++));
  const auto result = path.members[0]->state();
  // One member has the result, the others moved on.
  for (std::size_t m = 0; m + 1 < path.members.size(); ++m) {
    Party::State moved = path.members[m]->state();
    moved.x.assign(moved.x.size(), 7.0F);
    path.members[m]->write(moved);
  }
  path.run(path.begin(TreeOperation::kAverage, attempt++, path.members.size() - 1));
  for (const auto& member : path.members)
    EXPECT_EQ(member->state(), result);
}

INSTANTIATE_TEST_SUITE_P(
    Members, TreePassOnDevice,
    ::testing::Values(Case{"one_alone", {Home::kDevice}, DType::kFloat32},
                      Case{"all_on_devices", {Home::kDevice, Home::kDevice, Home::kDevice}, DType::kFloat32},
                      Case{
                          "host_in_the_middle", {Home::kDevice, Home::kHost, Home::kDevice}, DType::kFloat32},
                      Case{"device_in_the_middle", {Home::kHost, Home::kBoth, Home::kHost}, DType::kFloat32},
                      Case{"bfloat16", {Home::kDevice, Home::kHost, Home::kBoth}, DType::kBFloat16}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace duet::test
