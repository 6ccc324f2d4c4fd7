#include "science/ring_theory.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace duet::science {

namespace {

constexpr double kStep = 0.25;
constexpr double kEdgeRate = 0.5;

struct Mode {
  double bend = 0.0;          ///< 2 − 2 cos θ
  double multiplicity = 2.0;  ///< θ and −θ
};

/// E[x²], E[x·x̃], E[x̃²] of a mode.
struct Moments {
  double xx = 1.0, xy = 1.0, yy = 1.0;
};

class Ring {
 public:
  Ring(int workers, double chi1, double chi2)
      : workers_(workers), eta_(0.5 / std::sqrt(chi1 * chi2)), alpha_tilde_(0.5 * std::sqrt(chi1 / chi2)) {
    for (int q = 1; 2 * q <= workers; ++q)
      modes_.push_back(
          {2.0 - 2.0 * std::cos(2.0 * std::numbers::pi * q / workers), 2 * q < workers ? 2.0 : 1.0});
    state_.resize(modes_.size());
  }

  double mean_square() const {
    double sum = 0.0, count = 0.0;
    for (std::size_t k = 0; k < modes_.size(); ++k) {
      sum += modes_[k].multiplicity * state_[k].xx;
      count += modes_[k].multiplicity;
    }
    return sum / count;
  }

  /// The midpoint rule.
  void step() { state_ = moved(state_, derivative(moved(state_, derivative(state_), 0.5 * kStep)), kStep); }

 private:
  using State = std::vector<Moments>;

  State derivative(const State& state) const {
    double across = 0.0;  // E[(x_i − x_{i+1})²]
    for (std::size_t k = 0; k < modes_.size(); ++k)
      across += modes_[k].multiplicity * modes_[k].bend * state[k].xx / workers_;
    State result(state.size());
    for (std::size_t k = 0; k < modes_.size(); ++k) {
      const double eigenvalue = kEdgeRate * modes_[k].bend;
      const double from_x = -(eta_ + 0.5 * eigenvalue), to_y = eta_ - alpha_tilde_ * eigenvalue;
      const double stir = eigenvalue * across;
      const Moments& m = state[k];
      result[k] = {2.0 * (from_x * m.xx + eta_ * m.xy) + 0.25 * stir,
                   from_x * m.xy + eta_ * m.yy + to_y * m.xx - eta_ * m.xy + 0.5 * alpha_tilde_ * stir,
                   2.0 * (to_y * m.xy - eta_ * m.yy) + alpha_tilde_ * alpha_tilde_ * stir};
    }
    return result;
  }
  static State moved(State state, const State& by, double time) {
    for (std::size_t k = 0; k < state.size(); ++k) {
      state[k].xx += time * by[k].xx;
      state[k].xy += time * by[k].xy;
      state[k].yy += time * by[k].yy;
    }
    return state;
  }

  int workers_;
  double eta_, alpha_tilde_;
  std::vector<Mode> modes_;
  State state_;
};

}  // namespace

RingTheory ring_theory(int workers, double chi1, double chi2) {
  Ring ring(workers, chi1, chi2);
  std::vector<double> squares = {ring.mean_square()};
  while (squares.back() > 1e-6) {
    ring.step();
    squares.push_back(ring.mean_square());
  }
  const std::size_t last = squares.size() - 1, half = last / 2;
  return {static_cast<double>(last) * kStep,
          std::log(squares[half] / squares[last]) / (static_cast<double>(last - half) * kStep)};
}

}  // namespace duet::science
