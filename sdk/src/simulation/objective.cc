#include "simulation/objective.h"

#include <algorithm>
#include <cmath>

#include "duet/error.h"

namespace duet::simulation {

namespace {

using Normal = std::normal_distribution<float>;

float per_element(double norm, std::size_t dimension) {
  return static_cast<float>(norm / std::sqrt(static_cast<double>(dimension)));
}

/// A vector for every worker, normal, of the given norm in root mean square; none when that is 0.
std::vector<float> own_vectors(double norm, int workers, std::size_t dimension, Random& random) {
  if (norm <= 0.0) return {};
  std::vector<float> all(static_cast<std::size_t>(workers) * dimension);
  Normal normal(0.0F, per_element(norm, dimension));
  for (float& value : all)
    value = normal(random);
  return all;
}

class Quadratic final : public Objective {
 public:
  Quadratic(const ObjectiveOptions& options, int workers, std::size_t dimension, std::uint64_t seed)
      : curvature_(dimension), optimum_(dimension), noise_(per_element(options.noise, dimension)) {
    Random random = stream(seed, Purpose::kObjective);
    for (std::size_t k = 0; k < dimension; ++k) {
      const double place = dimension > 1 ? static_cast<double>(k) / static_cast<double>(dimension - 1) : 0.0;
      curvature_[k] = static_cast<float>(options.curvature * std::pow(options.condition, -place));
    }
    Normal normal(0.0F, per_element(1.0, dimension));
    for (float& value : optimum_)
      value = normal(random);
    own_ = own_vectors(options.heterogeneity, workers, dimension, random);
    mean_optimum_.assign(optimum_.begin(), optimum_.end());
    for (std::size_t k = 0; k < own_.size(); ++k)
      mean_optimum_[k % dimension] += static_cast<double>(own_[k]) / workers;
  }

  void gradient(int worker, const float* x, float* out, Random& random) override {
    const float* own =
        own_.empty() ? nullptr : own_.data() + static_cast<std::size_t>(worker) * optimum_.size();
    Normal normal(0.0F, 1.0F);
    for (std::size_t k = 0; k < optimum_.size(); ++k) {
      const float optimum = own != nullptr ? optimum_[k] + own[k] : optimum_[k];
      out[k] = curvature_[k] * (x[k] - optimum) + noise_ * normal(random);
    }
  }

  double loss(const std::vector<double>& x) const override {
    double sum = 0.0;
    for (std::size_t k = 0; k < x.size(); ++k)
      sum += static_cast<double>(curvature_[k]) * (x[k] - mean_optimum_[k]) * (x[k] - mean_optimum_[k]);
    return 0.5 * sum;
  }

 private:
  std::vector<float> curvature_, optimum_, own_;
  std::vector<double> mean_optimum_;
  float noise_;
};

class Logistic final : public Objective {
 public:
  Logistic(const ObjectiveOptions& options, int workers, std::size_t dimension, std::uint64_t seed)
      : batch_(options.batch),
        weight_decay_(static_cast<float>(options.weight_decay)),
        truth_(dimension),
        sample_(dimension) {
    Random random = stream(seed, Purpose::kObjective);
    Normal normal(0.0F, per_element(kNormOfTruth, dimension));
    for (float& value : truth_)
      value = normal(random);
    own_ = own_vectors(options.heterogeneity, workers, dimension, random);
    std::uniform_int_distribution<int> somebody(0, workers - 1);
    for (int k = 0; k < kHeldOut; ++k) {
      held_out_label_.push_back(draw(somebody(random), random));
      held_out_.insert(held_out_.end(), sample_.begin(), sample_.end());
    }
  }

  void gradient(int worker, const float* x, float* out, Random& random) override {
    for (std::size_t k = 0; k < truth_.size(); ++k)
      out[k] = weight_decay_ * x[k];
    for (int sample = 0; sample < batch_; ++sample) {
      const float label = draw(worker, random);
      float product = 0.0F;
      for (std::size_t k = 0; k < truth_.size(); ++k)
        product += x[k] * sample_[k];
      const float weight = label / (1.0F + std::exp(label * product)) / static_cast<float>(batch_);
      for (std::size_t k = 0; k < truth_.size(); ++k)
        out[k] -= weight * sample_[k];
    }
  }

  double loss(const std::vector<double>& x) const override {
    double sum = 0.0, squares = 0.0;
    for (int sample = 0; sample < kHeldOut; ++sample) {
      const float* features = held_out_.data() + static_cast<std::size_t>(sample) * truth_.size();
      double product = 0.0;
      for (std::size_t k = 0; k < truth_.size(); ++k)
        product += x[k] * static_cast<double>(features[k]);
      product *= static_cast<double>(held_out_label_[static_cast<std::size_t>(sample)]);
      sum += product > 0.0 ? std::log1p(std::exp(-product)) : -product + std::log1p(std::exp(product));
    }
    for (const double value : x)
      squares += value * value;
    return sum / kHeldOut + 0.5 * static_cast<double>(weight_decay_) * squares;
  }

 private:
  static constexpr int kHeldOut = 1000;
  static constexpr double kNormOfTruth = 3.0;

  /// Features into sample_, of length √dimension apart from the worker's mean scaled to 1 per feature; the
  /// label, +1 or −1, is returned.
  float draw(int worker, Random& random) {
    const float* own =
        own_.empty() ? nullptr : own_.data() + static_cast<std::size_t>(worker) * truth_.size();
    Normal normal(0.0F, 1.0F);
    float product = 0.0F;
    for (std::size_t k = 0; k < truth_.size(); ++k) {
      sample_[k] = normal(random) + (own != nullptr ? own[k] : 0.0F);
      product += sample_[k] * truth_[k];
    }
    const float positive = 1.0F / (1.0F + std::exp(-product));
    return std::uniform_real_distribution<float>(0.0F, 1.0F)(random) < positive ? 1.0F : -1.0F;
  }

  int batch_;
  float weight_decay_;
  std::vector<float> truth_, own_, sample_, held_out_, held_out_label_;
};

void require(bool good, const std::string& problem) {
  if (!good) throw ConfigurationError("objective: " + problem);
}

}  // namespace

std::unique_ptr<Objective> make_objective(const ObjectiveOptions& options, int workers, std::size_t dimension,
                                          std::uint64_t seed) {
  const auto not_negative = [](double value, const char* name) {
    require(std::isfinite(value) && value >= 0.0,
            std::string(name) + " is " + std::to_string(value) + "; it must be at least 0");
  };
  not_negative(options.heterogeneity, "heterogeneity");
  not_negative(options.noise, "noise");
  not_negative(options.curvature, "curvature");
  not_negative(options.weight_decay, "weight decay");
  require(std::isfinite(options.condition) && options.condition >= 1.0,
          "condition is " + std::to_string(options.condition) + "; it must be at least 1");
  require(options.batch >= 1,
          "a batch of " + std::to_string(options.batch) + " samples; it must be at least 1");
  if (options.kind == "quadratic") return std::make_unique<Quadratic>(options, workers, dimension, seed);
  if (options.kind == "logistic") return std::make_unique<Logistic>(options, workers, dimension, seed);
  throw ConfigurationError("unknown objective \"" + options.kind + "\"; there are quadratic and logistic");
}

}  // namespace duet::simulation
