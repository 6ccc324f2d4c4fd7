#include "topology/closed_form.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace duet::topology {
namespace {

using std::numbers::pi;

/// 1 − cos(2φ), without the cancellation that a large graph's smallest eigenvalue would not survive.
double one_minus_cosine(double phi) {
  const double sine = std::sin(phi);
  return 2.0 * sine * sine;
}

/// Eigenvalues of a cycle with edges of weight 1; a cycle of 2 is a single edge.
std::vector<double> cycle_spectrum(int side) {
  std::vector<double> values(static_cast<std::size_t>(side));
  for (int mode = 0; mode < side; ++mode) {
    values[static_cast<std::size_t>(mode)] = (side == 2 ? 1.0 : 2.0) * one_minus_cosine(pi * mode / side);
  }
  return values;
}

}  // namespace

Constants make_constants(double chi1, double chi2) {
  Constants constants;
  constants.chi1 = chi1;
  constants.chi2 = chi2;
  constants.eta = 1.0 / (2.0 * std::sqrt(chi1 * chi2));
  constants.alpha_tilde = 0.5 * std::sqrt(chi1 / chi2);
  // χ₁ ≥ χ₂ always, and equality means that no edge is worse than the graph as a whole. Rounding must not
  // turn that into an acceleration.
  constants.accelerates = chi1 > chi2 * (1.0 + 1e-9);
  if (!constants.accelerates) constants.alpha_tilde = 0.5;
  return constants;
}

Constants ring_constants(int workers, double weight) {
  if (workers == 2) return path_constants(workers, weight);
  const double n = workers;
  const double lambda2 = weight * 2.0 * one_minus_cosine(pi / n);
  return make_constants(1.0 / lambda2, (n - 1.0) / (2.0 * n * weight));
}

Constants path_constants(int workers, double weight) {
  const double lambda2 = weight * 2.0 * one_minus_cosine(pi / (2.0 * workers));
  return make_constants(1.0 / lambda2, 1.0 / (2.0 * weight));
}

Constants star_constants(int workers, double weight) {
  if (workers == 2) return path_constants(workers, weight);
  return make_constants(1.0 / weight, 1.0 / (2.0 * weight));
}

Constants complete_constants(int workers, double weight) {
  const double chi = 1.0 / (workers * weight);
  return make_constants(chi, chi);
}

Constants hypercube_constants(int dimensions, double weight) {
  // All edges are alike, so by Foster's theorem each has resistance (n − 1) / (weight · edges).
  const double n = std::ldexp(1.0, dimensions);
  return make_constants(1.0 / (2.0 * weight), (n - 1.0) / (n * dimensions * weight));
}

Constants torus_constants(int rows, int columns, double weight) {
  const std::vector<double> vertical = cycle_spectrum(rows);
  const std::vector<double> horizontal = cycle_spectrum(columns);
  double lambda2 = std::min(vertical[1], horizontal[1]);
  // An edge down has 1/n Σ over modes of 2(1 − cos(2πa/rows)) / λ; on a side of 2, whose own eigenvalue
  // counts its one edge once, that numerator is twice the eigenvalue.
  double down = 0.0;
  double across = 0.0;
  for (const double v : vertical) {
    for (const double h : horizontal) {
      if (v + h <= 0.0) continue;
      down += v / (v + h);
      across += h / (v + h);
    }
  }
  const double n = static_cast<double>(rows) * columns;
  down *= (rows == 2 ? 2.0 : 1.0) / n;
  across *= (columns == 2 ? 2.0 : 1.0) / n;
  return make_constants(1.0 / (weight * lambda2), std::max(down, across) / (2.0 * weight));
}

Constants circulant_constants(int workers, const std::vector<Offset>& offsets) {
  const std::int64_t n = workers;
  std::vector<double> bend(static_cast<std::size_t>(n / 2 + 1));  // 1 − cos(2πj/n), symmetric about n/2
  for (std::int64_t j = 0; j <= n / 2; ++j) {
    bend[static_cast<std::size_t>(j)] =
        one_minus_cosine(pi * static_cast<double>(j) / static_cast<double>(n));
  }
  double lambda2 = INFINITY;
  std::vector<double> half_resistance(offsets.size(), 0.0);
  std::vector<double> terms(offsets.size());
  for (std::int64_t mode = 1; mode <= n / 2; ++mode) {
    double eigenvalue = 0.0;
    for (std::size_t k = 0; k < offsets.size(); ++k) {
      const std::int64_t j = mode * offsets[k].offset % n;
      terms[k] = bend[static_cast<std::size_t>(std::min(j, n - j))];
      const bool antipode = 2 * std::int64_t{offsets[k].offset} == n;
      eigenvalue += (antipode ? 1.0 : 2.0) * offsets[k].weight * terms[k];
    }
    lambda2 = std::min(lambda2, eigenvalue);
    const double multiplicity = 2 * mode == n ? 1.0 : 2.0;  // mode and n − mode
    for (std::size_t k = 0; k < offsets.size(); ++k)
      half_resistance[k] += multiplicity * terms[k] / eigenvalue;
  }
  const double worst = *std::max_element(half_resistance.begin(), half_resistance.end());
  return make_constants(1.0 / lambda2, worst / static_cast<double>(n));
}

}  // namespace duet::topology
