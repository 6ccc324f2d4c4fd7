#pragma once

namespace duet::science {

/// What theory says of memoryless gossip on a ring at rate 1, by the wall clock.
struct RingTheory {
  double meetings = 0.0;  ///< of each worker until the mean squared distance has fallen by 10⁶
  double rate = 0.0;      ///< by how much its logarithm falls per meeting, over the second half of those
};

/// By the second moments of (x, x̃), exactly: meetings are a Poisson process and everything between them is
/// linear, so the moments follow a linear differential equation. On a ring it falls apart into one of 2×2
/// matrices for each Fourier mode, which the meetings' own randomness couples.
///
/// The mean of x falls by η per unit of time, its square so by 2η = 1/√(χ₁χ₂). The mean of the square falls
/// more slowly, as each meeting also stirs: by 0.70, 0.75, 0.79 of that on rings of 16, 32, 64.
RingTheory ring_theory(int workers, double chi1, double chi2);

}  // namespace duet::science
