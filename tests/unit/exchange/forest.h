#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "exchange/tree_pass.h"
#include "unit/exchange/endpoints.h"

/// Members of a tree without the worker's threads, for the tests of what goes over it.
namespace duet::exchange::test {

inline constexpr double kTimeout = 20.0;

/// parent[i] of every worker; −1: the root.
inline std::vector<int> make_tree(const std::string& shape, int size) {
  std::vector<int> parent(static_cast<std::size_t>(size), -1);
  for (int i = 1; i < size; ++i) {
    auto& mine = parent[static_cast<std::size_t>(i)];
    if (shape == "path") mine = i - 1;
    if (shape == "star") mine = 0;
    // Breadth first from 0, both ways round.
    if (shape == "ring") mine = i <= size / 2 ? i - 1 : (i + 1) % size;
  }
  return parent;
}

/// Members of a tree with their connections, to be turned by one thread or by one each.
class Forest {
 public:
  Forest(const std::vector<int>& parent, std::size_t elements, std::size_t block_elements,
         bool momentum = true)
      : parent_(parent) {
    for (std::size_t i = 0; i < parent.size(); ++i) {
      workers.push_back(
          std::make_unique<Worker>(std::vector<std::size_t>{elements - elements / 3, elements / 3}, momentum,
                                   block_elements * sizeof(float), static_cast<unsigned>(i + 1)));
      alive_.push_back(true);
    }
    link();
  }

  std::size_t size() const { return workers.size(); }

  /// Fresh connections among those who are alive (the parent of an orphan becomes its grandparent, or so).
  void link() {
    up_.clear();
    down_.clear();
    up_.resize(size());
    down_.resize(size());
    for (std::size_t i = 0; i < size(); ++i) {
      if (!alive_[i]) continue;
      int above = parent_[i];
      while (above >= 0 && !alive_[static_cast<std::size_t>(above)])
        above = parent_[static_cast<std::size_t>(above)];
      if (above < 0) {
        // The lowest that lives is the root of whoever is left without one.
        above = static_cast<int>(std::find(alive_.begin(), alive_.end(), true) - alive_.begin());
        if (above == static_cast<int>(i)) continue;
      }
      auto [to_parent, to_child] =
          connect(*workers[i]->context, "worker " + std::to_string(i),
                  *workers[static_cast<std::size_t>(above)]->context, "worker " + std::to_string(above));
      up_[i] = std::move(to_parent);
      down_[static_cast<std::size_t>(above)].push_back(std::move(to_child));
    }
  }

  TreeLinks links(std::size_t i) const {
    TreeLinks made;
    made.parent = up_[i].get();
    for (const auto& child : down_[i])
      made.children.push_back(child.get());
    return made;
  }

  std::unique_ptr<TreePass> pass(std::size_t i, TreeOperation operation, std::uint64_t attempt,
                                 bool has_result = false, double timeout = kTimeout) {
    TreePlan plan;
    plan.operation = operation;
    plan.number = attempt;
    plan.has_result = has_result;
    plan.rank = static_cast<int>(i);
    plan.world_size = static_cast<int>(size());
    plan.timeout = timeout;
    return std::make_unique<TreePass>(*workers[i]->replica, links(i), plan, seconds());
  }

  std::vector<std::unique_ptr<TreePass>> passes(TreeOperation operation, std::uint64_t attempt,
                                                const std::set<std::size_t>& have_result = {}) {
    std::vector<std::unique_ptr<TreePass>> made;
    for (std::size_t i = 0; i < size(); ++i) {
      made.push_back(alive_[i] ? pass(i, operation, attempt, have_result.count(i) > 0) : nullptr);
    }
    return made;
  }

  /// Turns everybody once. True: all are over.
  bool turn(const std::vector<std::unique_ptr<TreePass>>& passes) {
    bool over = true;
    for (std::size_t i = 0; i < size(); ++i) {
      if (passes[i] == nullptr || !alive_[i]) continue;
      workers[i]->context->poll(0);
      if (passes[i]->advance(seconds())) {
        // What a worker does with a broken pass.
        if (!passes[i]->complete()) close(i);
      } else {
        over = false;
      }
    }
    return over;
  }

  bool run(const std::vector<std::unique_ptr<TreePass>>& passes) {
    for (const double end = seconds() + 60.0; seconds() < end;) {
      if (turn(passes)) return true;
    }
    return false;
  }

  void close(std::size_t i) {
    up_[i].reset();
    down_[i].clear();
  }
  void kill(std::size_t i) {
    alive_[i] = false;
    close(i);
    workers[i]->context->poll(0);
  }
  bool alive(std::size_t i) const { return alive_[i]; }

  std::vector<double> mean_of_the_living() const {
    std::vector<double> sum;
    int members = 0;
    for (std::size_t i = 0; i < size(); ++i) {
      if (!alive_[i]) continue;
      const auto mine = workers[i]->invariant();
      sum.resize(mine.size());
      for (std::size_t k = 0; k < sum.size(); ++k)
        sum[k] += mine[k];
      ++members;
    }
    for (double& value : sum)
      value /= members;
    return sum;
  }

  std::vector<double> mean_position() const {
    std::vector<double> sum;
    for (const auto& worker : workers) {
      std::size_t k = 0;
      worker->each([&](float x, float d, float) {
        if (k == sum.size()) sum.push_back(0.0);
        sum[k++] += (double{x} + double{d}) / static_cast<double>(size());
      });
    }
    return sum;
  }

  /// Gives worker i the result of a final average that counts it alone: its own position.
  void average_alone(std::size_t i) {
    TreePlan plan;
    plan.operation = TreeOperation::kFinalAverage;
    plan.rank = static_cast<int>(i);
    plan.world_size = static_cast<int>(size());
    TreePass pass(*workers[i]->replica, {}, plan, seconds());
    EXPECT_TRUE(pass.advance(seconds()));
    EXPECT_TRUE(pass.complete()) << pass.error();
  }

  std::vector<std::unique_ptr<Worker>> workers;

 private:
  std::vector<int> parent_;
  std::vector<bool> alive_;
  std::vector<std::unique_ptr<transport::Connection>> up_;
  std::vector<std::vector<std::unique_ptr<transport::Connection>>> down_;
};

inline std::vector<float> positions(const Worker& worker) {
  std::vector<float> x;
  worker.each([&](float value, float d, float z) {
    EXPECT_EQ(d, 0.0F);
    EXPECT_EQ(z, 0.0F);
    x.push_back(value);
  });
  return x;
}

inline void expect_near(const std::vector<float>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t k = 0; k < found.size(); ++k)
    ASSERT_NEAR(found[k], expected[k], 3e-6) << "element " << k;
}

}  // namespace duet::exchange::test
