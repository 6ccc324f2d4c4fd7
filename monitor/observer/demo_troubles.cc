#include "demo_troubles.h"

#include <algorithm>
#include <random>
#include <utility>

namespace duet::observer {
namespace {

constexpr double kRound = 240.0;  ///< seconds from one trouble of a kind to the next

}  // namespace

DemoTroubles::DemoTroubles(const DemoOptions& options, std::vector<Pair> edges)
    : given_(options.troubles),
      edges_(std::move(edges)),
      standard_(options.standard_troubles),
      workers_(options.workers),
      seed_(options.seed) {}

std::vector<DemoTrouble> DemoTroubles::round(std::uint64_t number) const {
  std::mt19937_64 random(seed_ * 1000003 + number);
  const auto any = [&] { return std::uniform_int_distribution<int>(0, workers_ - 1)(random); };
  const double start = static_cast<double>(number) * kRound;
  std::vector<DemoTrouble> troubles;
  troubles.push_back({start + 12.0, 25.0, Trouble::kStraggles, any(), -1});
  if (workers_ > 2) troubles.push_back({start + 30.0, 20.0, Trouble::kDies, any(), -1});
  troubles.push_back({start + 70.0, 15.0, Trouble::kStalls, any(), -1});
  if (edges_.size() > 1) {
    const Pair edge = edges_[std::uniform_int_distribution<std::size_t>(0, edges_.size() - 1)(random)];
    troubles.push_back({start + 105.0, 30.0, Trouble::kDeadEdge, edge.a, edge.b});
  }
  if (workers_ > 3) {
    const int first = std::uniform_int_distribution<int>(workers_ / 2, workers_ - 1)(random);
    troubles.push_back({start + 155.0, 30.0, Trouble::kPartition, first, -1});
  }
  troubles.push_back({start + 205.0, 10.0, Trouble::kNonFinite, any(), -1});
  return troubles;
}

std::vector<DemoTrouble> DemoTroubles::between(double from, double to) const {
  std::vector<DemoTrouble> troubles = given_;
  if (standard_ && to > 0.0) {
    const auto first = static_cast<std::uint64_t>(std::max(0.0, from) / kRound);
    for (std::uint64_t number = first; static_cast<double>(number) * kRound <= to; ++number)
      for (const DemoTrouble& trouble : round(number))
        troubles.push_back(trouble);
  }
  std::erase_if(troubles,
                [&](const DemoTrouble& trouble) { return !(trouble.at > from && trouble.at <= to); });
  std::stable_sort(troubles.begin(), troubles.end(),
                   [](const DemoTrouble& a, const DemoTrouble& b) { return a.at < b.at; });
  return troubles;
}

}  // namespace duet::observer
