#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "simulation/conditions.h"

namespace duet::simulation {

/// What the workers train on. All share one optimum with heterogeneity 0, and each has its own otherwise.
struct ObjectiveOptions {
  /// "quadratic": worker i's is ½ Σ h_k (x_k − b_ik)², its gradient comes with noise. "logistic": labels
  /// drawn from a logistic model of features that are normal around worker i's own mean; gradients of
  /// batches.
  std::string kind = "quadratic";
  double heterogeneity = 0.0;  ///< ‖b_i − b‖, or ‖mean of worker i's features‖, as root mean square
  double noise = 1.0;          ///< quadratic: root mean square of the gradient noise's norm
  double curvature = 0.05;     ///< quadratic: the largest h_k; 0: nothing but noise
  double condition = 1.0;      ///< quadratic: largest by smallest h_k, in equal ratios in between
  int batch = 8;               ///< logistic: samples per step
  double weight_decay = 1e-3;  ///< logistic
};

class Objective {
 public:
  virtual ~Objective() = default;
  /// A stochastic gradient of the worker's own function at x.
  virtual void gradient(int worker, const float* x, float* out, Random& random) = 0;
  /// Of the workers' mean function. Quadratic: above its minimum.
  virtual double loss(const std::vector<double>& x) const = 0;
};

/// Throws ConfigurationError: an unknown kind, a value that cannot be.
std::unique_ptr<Objective> make_objective(const ObjectiveOptions& options, int workers, std::size_t dimension,
                                          std::uint64_t seed);

}  // namespace duet::simulation
