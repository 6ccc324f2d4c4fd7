#pragma once

#include <cstddef>
#include <vector>

#include "duet/algorithm.h"
#include "duet/buffer.h"

namespace duet::simulation {

/// The parameters of all workers, small models, as real workers hold them: x (the trainer's), d (what is
/// pending), z (momentum), float32, moved by the very passes of dynamics/passes.h. 12 bytes per parameter and
/// worker with momentum, 8 without.
class Population {
 public:
  Population(int workers, std::size_t dimension, bool momentum, DType wire);

  int workers() const { return workers_; }
  std::size_t dimension() const { return dimension_; }

  float* x(int worker) { return x_.data() + offset(worker); }
  const float* x(int worker) const { return x_.data() + offset(worker); }

  /// Where a meeting breaks: from element `at` on nothing is exchanged, but for `flight` more elements that
  /// reach the first of the two alone.
  struct Torn {
    std::size_t at = 0;
    std::size_t flight = 0;
  };
  /// A meeting of i and j: each mixes by its own c; what they exchange goes by the offerer's, i's, α and α̃.
  void meet(int i, int j, const MeetingCoefficients& at_i, const MeetingCoefficients& at_j,
            const Torn* torn = nullptr);
  /// An edge of synchronous gossip: x_i −= Σ_j weight·(x_i − x_j), all at once, among the living.
  struct WeightedEdge {
    int a = 0;
    int b = 0;
    double weight = 0.0;
  };
  void gossip(const std::vector<WeightedEdge>& edges);
  /// x += d, d = 0.
  void deliver(int worker);

  /// x + d, which the others know of.
  double position(int worker, std::size_t k) const {
    const std::size_t at = offset(worker) + k;
    return static_cast<double>(x_[at] + d_[at]);
  }
  /// x + d + ½z, whose sum only optimizers move.
  double invariant(int worker, std::size_t k) const {
    const double z = z_.empty() ? 0.0 : static_cast<double>(z_[offset(worker) + k]);
    const std::size_t at = offset(worker) + k;
    return static_cast<double>(x_[at]) + static_cast<double>(d_[at]) + 0.5 * z;
  }

  /// Whoever died counts no more.
  void lose(int worker);
  bool alive(int worker) const { return alive_[static_cast<std::size_t>(worker)]; }
  int members() const { return members_; }

  /// Mean over the living of x + d, and of x + d + ½z.
  std::vector<double> mean_position() const;
  std::vector<double> mean_invariant() const;
  /// Mean over the living of ‖x_i + d_i − mean‖²: the squared consensus distance.
  double squared_distance() const;

 private:
  std::size_t offset(int worker) const { return static_cast<std::size_t>(worker) * dimension_; }
  float* momentum(int worker) { return z_.empty() ? nullptr : z_.data() + offset(worker); }

  int workers_;
  std::size_t dimension_;
  DType wire_;
  std::vector<float> x_, d_, z_;
  std::vector<unsigned char> at_first_, at_second_;  ///< the snapshots of a meeting
  std::vector<bool> alive_;
  int members_;
};

}  // namespace duet::simulation
