#include "partition.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "duet/error.h"

namespace samples {
namespace {

using Random = std::mt19937_64;

// Of Gamma(alpha, 1) variables divided by their sum. With a small alpha all may round to 0; then one has
// everything.
std::vector<double> dirichlet(std::size_t count, double alpha, Random& random) {
  std::gamma_distribution<double> gamma(alpha, 1.0);
  std::vector<double> shares(count);
  double sum = 0.0;
  for (double& share : shares)
    sum += share = gamma(random);
  if (!(sum > 0.0)) {
    std::fill(shares.begin(), shares.end(), 0.0);
    shares[std::uniform_int_distribution<std::size_t>(0, count - 1)(random)] = sum = 1.0;
  }
  for (double& share : shares)
    share /= sum;
  return shares;
}

}  // namespace

std::vector<std::vector<std::size_t>> dirichlet_partition(const std::vector<int>& labels, int workers,
                                                          double alpha, std::uint64_t seed) {
  if (!(alpha > 0.0) || !std::isfinite(alpha))
    throw duet::ConfigurationError("Dirichlet shares need an alpha > 0, not " + std::to_string(alpha));
  if (workers < 1 || labels.size() < static_cast<std::size_t>(workers)) {
    throw duet::ConfigurationError(std::to_string(labels.size()) +
                                   " training samples cannot be shared out among " + std::to_string(workers) +
                                   " workers");
  }
  std::map<int, std::vector<std::size_t>> by_label;
  for (std::size_t k = 0; k < labels.size(); ++k)
    by_label[labels[k]].push_back(k);

  Random random(seed);
  std::vector<std::vector<std::size_t>> parts(static_cast<std::size_t>(workers));
  for (auto& [label, samples] : by_label) {
    std::shuffle(samples.begin(), samples.end(), random);
    const std::vector<double> shares = dirichlet(parts.size(), alpha, random);
    double up_to = 0.0;
    std::size_t next = 0;
    for (std::size_t worker = 0; worker < parts.size(); ++worker) {
      up_to += shares[worker];
      // The last takes what rounding has left over.
      const std::size_t end =
          worker + 1 == parts.size()
              ? samples.size()
              : std::min(samples.size(),
                         static_cast<std::size_t>(std::llround(up_to * static_cast<double>(samples.size()))));
      for (; next < end; ++next)
        parts[worker].push_back(samples[next]);
    }
  }
  for (auto& part : parts) {
    if (!part.empty()) continue;
    auto& richest = *std::max_element(parts.begin(), parts.end(),
                                      [](const auto& a, const auto& b) { return a.size() < b.size(); });
    part.push_back(richest.back());
    richest.pop_back();
  }
  for (auto& part : parts)
    std::sort(part.begin(), part.end());
  return parts;
}

}  // namespace samples
