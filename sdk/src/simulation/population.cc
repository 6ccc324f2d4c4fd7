#include "simulation/population.h"

#include <algorithm>

#include "dynamics/passes.h"

namespace duet::simulation {

Population::Population(int workers, std::size_t dimension, bool momentum, DType wire)
    : workers_(workers),
      dimension_(dimension),
      wire_(wire),
      x_(static_cast<std::size_t>(workers) * dimension),
      d_(x_.size()),
      z_(momentum ? x_.size() : 0),
      at_first_(dimension * size_of(wire)),
      at_second_(dimension * size_of(wire)),
      alive_(static_cast<std::size_t>(workers), true),
      members_(workers) {}

void Population::meet(int i, int j, const MeetingCoefficients& at_i, const MeetingCoefficients& at_j,
                      const Torn* torn) {
  float* const d_i = d_.data() + offset(i);
  float* const d_j = d_.data() + offset(j);
  // Before a break the snapshots were taken, after it mixing goes on alone: the same for x + d and z.
  dynamics::snapshot(x(i), d_i, momentum(i), at_first_.data(), wire_, dimension_, static_cast<float>(at_i.c));
  dynamics::snapshot(x(j), d_j, momentum(j), at_second_.data(), wire_, dimension_,
                     static_cast<float>(at_j.c));
  const std::size_t second = torn != nullptr ? std::min(torn->at, dimension_) : dimension_;
  const std::size_t first = torn != nullptr ? std::min(second + torn->flight, dimension_) : dimension_;
  const auto alpha = static_cast<float>(at_i.alpha);
  const auto beta = static_cast<float>(at_i.alpha_tilde_minus_alpha);
  dynamics::apply(d_i, momentum(i), at_first_.data(), at_second_.data(), wire_, first, alpha, beta);
  dynamics::apply(d_j, momentum(j), at_second_.data(), at_first_.data(), wire_, second, alpha, beta);
}

void Population::gossip(const std::vector<WeightedEdge>& edges) {
  // Into d, which nothing reads meanwhile: every difference is of the positions before.
  for (const WeightedEdge& edge : edges) {
    if (!alive(edge.a) || !alive(edge.b)) continue;
    const float* const x_a = x(edge.a);
    const float* const x_b = x(edge.b);
    dynamics::apply(d_.data() + offset(edge.a), nullptr, x_a, x_b, DType::kFloat32, dimension_,
                    static_cast<float>(edge.weight), 0.0F);
    dynamics::apply(d_.data() + offset(edge.b), nullptr, x_b, x_a, DType::kFloat32, dimension_,
                    static_cast<float>(edge.weight), 0.0F);
  }
  for (int worker = 0; worker < workers_; ++worker)
    deliver(worker);
}

void Population::deliver(int worker) {
  dynamics::deliver(x(worker), d_.data() + offset(worker), dimension_);
}

void Population::lose(int worker) {
  const auto at = static_cast<std::size_t>(worker);
  if (!alive_[at]) return;
  alive_[at] = false;
  --members_;
}

std::vector<double> Population::mean_position() const {
  std::vector<double> mean(dimension_);
  for (int worker = 0; worker < workers_; ++worker) {
    if (!alive(worker)) continue;
    for (std::size_t k = 0; k < dimension_; ++k)
      mean[k] += position(worker, k);
  }
  for (double& value : mean)
    value /= members_;
  return mean;
}

std::vector<double> Population::mean_invariant() const {
  std::vector<double> mean(dimension_);
  for (int worker = 0; worker < workers_; ++worker) {
    if (!alive(worker)) continue;
    for (std::size_t k = 0; k < dimension_; ++k)
      mean[k] += invariant(worker, k);
  }
  for (double& value : mean)
    value /= members_;
  return mean;
}

double Population::squared_distance() const {
  const std::vector<double> mean = mean_position();
  double sum = 0.0;
  for (int worker = 0; worker < workers_; ++worker) {
    if (!alive(worker)) continue;
    for (std::size_t k = 0; k < dimension_; ++k) {
      const double off = position(worker, k) - mean[k];
      sum += off * off;
    }
  }
  return sum / members_;
}

}  // namespace duet::simulation
