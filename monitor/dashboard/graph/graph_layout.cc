#include "dashboard/graph/graph_layout.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <random>
#include <string_view>

namespace duet::dashboard {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr double kRadius = 0.46;

/// Share of a full turn, clockwise from the top.
QPointF on_circle(double share, double radius = kRadius) {
  const double angle = share * kTurn - kTurn / 4;
  return {0.5 + radius * std::cos(angle), 0.5 + radius * std::sin(angle)};
}

std::vector<QPointF> circle(int workers) {
  std::vector<QPointF> places;
  for (int k = 0; k < workers; ++k)
    places.push_back(on_circle(double(k) / workers));
  return places;
}

/// A circle with a gap at the bottom: seen at once not to be a ring.
std::vector<QPointF> open_circle(int workers) {
  std::vector<QPointF> places;
  for (int k = 0; k < workers; ++k) {
    const double share = workers > 1 ? double(k) / (workers - 1) : 0.5;
    places.push_back(on_circle(0.58 + 0.84 * share));
  }
  return places;
}

std::vector<QPointF> star(int workers) {
  std::vector<QPointF> places{{0.5, 0.5}};
  for (int k = 1; k < workers; ++k)
    places.push_back(on_circle(double(k - 1) / (workers - 1)));
  return places;
}

std::optional<std::pair<int, int>> torus_sides(std::string_view sides, int workers) {
  if (!sides.empty()) {
    int rows = 0;
    int columns = 0;
    const char* const end = sides.data() + sides.size();
    const auto first = std::from_chars(sides.data(), end, rows);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != 'x') return std::nullopt;
    if (std::from_chars(first.ptr + 1, end, columns).ec != std::errc()) return std::nullopt;
    if (rows < 1 || columns < 1 || rows != workers / columns || workers % columns != 0) return std::nullopt;
    return std::pair{rows, columns};
  }
  // The squarest.
  for (int rows = static_cast<int>(std::sqrt(double(workers))); rows >= 2; --rows) {
    if (workers % rows == 0) return std::pair{rows, workers / rows};
  }
  return std::nullopt;
}

/// A ring of rings, seen from above at a slant.
std::vector<QPointF> torus(int rows, int columns) {
  constexpr double kSlant = 0.68;
  constexpr double kTube = 0.155;
  constexpr double kLift = 0.115;
  std::vector<QPointF> places;
  for (int row = 0; row < rows; ++row) {
    const double minor = kTurn * (row + 0.25) / rows;
    for (int column = 0; column < columns; ++column) {
      const double major = kTurn * (column + 0.12) / columns;
      const double radius = 0.31 + kTube * std::cos(minor);
      places.push_back({0.5 + radius * std::cos(major),
                        0.5 + kSlant * radius * std::sin(major) + kLift * std::sin(minor)});
    }
  }
  return places;
}

/// Fruchterman and Reingold's forces. `movable[k]`: it may move.
void relax(std::vector<QPointF>& places, const std::vector<std::pair<int, int>>& edges,
           const std::vector<bool>& movable) {
  const int n = static_cast<int>(places.size());
  const double ideal = 0.8 / std::sqrt(double(std::max(n, 1)));
  const int rounds = n <= 200 ? 250 : n <= 500 ? 80 : 25;
  std::vector<QPointF> force(places.size());
  for (int round = 0; round < rounds; ++round) {
    const double reach = 0.12 * (1.0 - double(round) / rounds) + 0.002;
    std::fill(force.begin(), force.end(), QPointF());
    for (int a = 0; a < n; ++a) {
      if (!movable[a]) continue;
      for (int b = 0; b < n; ++b) {
        if (a == b) continue;
        QPointF away = places[a] - places[b];
        const double square = std::max(QPointF::dotProduct(away, away), 1e-6);
        force[a] += away * (ideal * ideal / square);
      }
    }
    for (const auto& [a, b] : edges) {
      const QPointF along = places[a] - places[b];
      const QPointF pull = along * (std::hypot(along.x(), along.y()) / ideal);
      force[a] -= pull;
      force[b] += pull;
    }
    for (int k = 0; k < n; ++k) {
      const double size = std::hypot(force[k].x(), force[k].y());
      if (movable[k] && size > 1e-9) places[k] += force[k] * (std::min(size, reach) / size);
    }
  }
}

/// Into the unit square, with a margin, without distortion.
void fit(std::vector<QPointF>& places) {
  if (places.empty()) return;
  double left = places[0].x(), right = left, top = places[0].y(), bottom = top;
  for (const QPointF& place : places) {
    left = std::min(left, place.x());
    right = std::max(right, place.x());
    top = std::min(top, place.y());
    bottom = std::max(bottom, place.y());
  }
  const double size = std::max({right - left, bottom - top, 1e-6});
  const QPointF middle((left + right) / 2, (top + bottom) / 2);
  for (QPointF& place : places)
    place = QPointF(0.5, 0.5) + (place - middle) * (2 * kRadius / size);
}

std::vector<QPointF> by_forces(const GraphShape& shape, const std::vector<QPointF>& before,
                               std::uint64_t seed) {
  const auto n = static_cast<std::size_t>(shape.workers);
  std::vector<std::pair<int, int>> edges;
  for (const auto& [a, b] : shape.edges) {
    if (a != b && a >= 0 && b >= 0 && a < shape.workers && b < shape.workers) edges.emplace_back(a, b);
  }
  std::mt19937_64 random(seed);
  // Not std::uniform_real_distribution: its numbers differ between libraries, pictures must not.
  const auto draw = [&random] { return double(random() >> 11) * 0x1p-53; };
  std::vector<QPointF> places = circle(shape.workers);
  for (QPointF& place : places)
    place += QPointF(draw() - 0.5, draw() - 0.5) * 0.05;
  std::vector<bool> movable(n, true);
  const std::size_t kept = std::min(before.size(), n);
  for (std::size_t k = 0; k < kept; ++k) {
    places[k] = before[k];
    movable[k] = false;
  }
  if (kept == n) return places;
  for (std::size_t k = kept; k < n && kept > 0; ++k) {
    // Near those it is tied to.
    QPointF sum;
    int count = 0;
    for (const auto& [a, b] : edges) {
      const int other = a == int(k) ? b : b == int(k) ? a : -1;
      if (other < 0 || std::size_t(other) >= k) continue;
      sum += places[other];
      ++count;
    }
    if (count > 0) places[k] = sum / count + QPointF(draw() - 0.5, draw() - 0.5) * 0.1;
  }
  relax(places, edges, movable);
  if (kept == 0) {
    fit(places);
  } else {
    for (std::size_t k = kept; k < n; ++k) {
      places[k] = {std::clamp(places[k].x(), 0.02, 0.98), std::clamp(places[k].y(), 0.02, 0.98)};
    }
  }
  return places;
}

}  // namespace

std::vector<QPointF> layout_graph(const GraphShape& shape, const std::vector<QPointF>& before,
                                  std::uint64_t seed) {
  if (shape.workers <= 0) return {};
  if (shape.workers == 1) return {{0.5, 0.5}};
  const std::string_view description = shape.description;
  const std::string_view name = description.substr(0, description.find(':'));
  const std::string_view rest = name.size() < description.size() ? description.substr(name.size() + 1) : "";
  if (name == "ring" || name == "complete" || name == "exponential" || name == "exponential-paper" ||
      name == "hypercube") {
    return circle(shape.workers);
  }
  if (name == "path") return open_circle(shape.workers);
  if (name == "star") return star(shape.workers);
  if (name == "torus") {
    if (const auto sides = torus_sides(rest, shape.workers)) return torus(sides->first, sides->second);
  }
  return by_forces(shape, before, seed);
}

}  // namespace duet::dashboard
