#include "topology/named_graph.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "duet/error.h"
#include "topology/closed_form.h"
#include "topology/numbers.h"

namespace duet::topology {
namespace {

NamedGraph ring(int n, double rate) {
  const double weight = rate / std::min(2, n - 1);
  return {static_cast<std::uint64_t>(n == 2 ? 1 : n),
          [n, weight] {
            std::vector<Edge> edges;
            edges.reserve(static_cast<std::size_t>(n));
            for (int i = 0; i + 1 < n; ++i) {
              edges.push_back({i, i + 1, weight});
              if (i == 0 && n > 2) edges.push_back({0, n - 1, weight});
            }
            return edges;
          },
          [n, weight] { return ring_constants(n, weight); }};
}

NamedGraph path(int n, double rate) {
  const double weight = rate / std::min(2, n - 1);
  return {static_cast<std::uint64_t>(n - 1),
          [n, weight] {
            std::vector<Edge> edges;
            edges.reserve(static_cast<std::size_t>(n));
            for (int i = 0; i + 1 < n; ++i)
              edges.push_back({i, i + 1, weight});
            return edges;
          },
          [n, weight] { return path_constants(n, weight); }};
}

NamedGraph star(int n, double rate) {
  const double weight = rate / (n - 1);
  return {static_cast<std::uint64_t>(n - 1),
          [n, weight] {
            std::vector<Edge> edges;
            edges.reserve(static_cast<std::size_t>(n));
            for (int i = 1; i < n; ++i)
              edges.push_back({0, i, weight});
            return edges;
          },
          [n, weight] { return star_constants(n, weight); }};
}

NamedGraph complete(int n, double rate) {
  const double weight = rate / (n - 1);
  const std::uint64_t count = static_cast<std::uint64_t>(n) * static_cast<std::uint64_t>(n - 1) / 2;
  return {count,
          [n, weight, count] {
            std::vector<Edge> edges;
            edges.reserve(count);
            for (int i = 0; i < n; ++i) {
              for (int j = i + 1; j < n; ++j)
                edges.push_back({i, j, weight});
            }
            return edges;
          },
          [n, weight] { return complete_constants(n, weight); }};
}

NamedGraph hypercube(int n, double rate) {
  if (!std::has_single_bit(static_cast<unsigned>(n))) {
    throw ConfigurationError(fmt::format(
        "graph hypercube: {} workers; a hypercube needs a power of 2 (exponential takes any number)", n));
  }
  const int dimensions = std::countr_zero(static_cast<unsigned>(n));
  const double weight = rate / dimensions;
  const std::uint64_t count = static_cast<std::uint64_t>(n) / 2 * static_cast<std::uint64_t>(dimensions);
  return {count,
          [n, dimensions, weight, count] {
            std::vector<Edge> edges;
            edges.reserve(count);
            for (int i = 0; i < n; ++i) {
              for (int k = 0; k < dimensions; ++k) {
                if ((i >> k & 1) == 0) edges.push_back({i, i | 1 << k, weight});
              }
            }
            return edges;
          },
          [dimensions, weight] { return hypercube_constants(dimensions, weight); }};
}

/// The largest factor up to the square root first.
std::pair<int, int> squarest_sides(int n) {
  int rows = static_cast<int>(std::sqrt(static_cast<double>(n)));
  while (rows > 1 && n % rows != 0)
    --rows;
  if (rows < 2) {
    throw ConfigurationError(fmt::format(
        "graph torus: {} workers; a torus needs two sides of at least 2, and {} is a prime number (use ring)",
        n, n));
  }
  return {rows, n / rows};
}

/// "4x8"
std::pair<int, int> parse_sides(std::string_view text, int n) {
  const std::size_t cross = std::min(text.find('x'), text.size());
  const auto rows = parse_number<int>(text.substr(0, cross));
  const auto columns = parse_number<int>(text.substr(std::min(cross + 1, text.size())));
  if (!rows || !columns || *rows < 2 || *columns < 2) {
    throw ConfigurationError(
        fmt::format("graph torus:{}: sides are written ROWSxCOLUMNS, e.g. torus:4x8, each at least 2", text));
  }
  const std::int64_t product = static_cast<std::int64_t>(*rows) * *columns;
  if (product != n) {
    throw ConfigurationError(
        fmt::format("graph torus:{}: makes {} workers, but there are {}", text, product, n));
  }
  return {*rows, *columns};
}

NamedGraph torus(std::pair<int, int> sides, double rate) {
  const int rows = sides.first;
  const int columns = sides.second;
  const int degree = std::min(2, rows - 1) + std::min(2, columns - 1);
  const double weight = rate / degree;
  const std::uint64_t count = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns) *
                              static_cast<std::uint64_t>(degree) / 2;
  return {count,
          [rows, columns, weight, count] {
            std::vector<Edge> edges;
            edges.reserve(count);
            for (int row = 0; row < rows; ++row) {
              for (int column = 0; column < columns; ++column) {
                const int here = row * columns + column;
                if (column + 1 < columns) edges.push_back({here, here + 1, weight});
                if (column == 0 && columns > 2) edges.push_back({here, here + columns - 1, weight});
                if (row + 1 < rows) edges.push_back({here, here + columns, weight});
                if (row == 0 && rows > 2) edges.push_back({here, here + (rows - 1) * columns, weight});
              }
            }
            return edges;
          },
          [rows, columns, weight] { return torus_constants(rows, columns, weight); }};
}

NamedGraph circulant(int n, std::vector<Offset> offsets) {
  std::uint64_t count = 0;
  // Every offset seen from the lower end: {i, i + s} and, around the end of the circle, {i, i + n − s}.
  std::vector<Offset> ahead;
  for (const Offset& offset : offsets) {
    const bool antipode = offset.offset == n - offset.offset;
    count += static_cast<std::uint64_t>(antipode ? n / 2 : n);
    ahead.push_back(offset);
    if (!antipode) ahead.push_back({n - offset.offset, offset.weight});
  }
  std::sort(ahead.begin(), ahead.end(), [](const Offset& a, const Offset& b) { return a.offset < b.offset; });
  return {count,
          [n, count, ahead = std::move(ahead)] {
            std::vector<Edge> edges;
            edges.reserve(count);
            for (int i = 0; i < n; ++i) {
              for (const Offset& step : ahead) {
                if (step.offset >= n - i) break;
                edges.push_back({i, i + step.offset, step.weight});
              }
            }
            return edges;
          },
          [n, offsets = std::move(offsets)] { return circulant_constants(n, offsets); }};
}

NamedGraph exponential(int n, double rate) {
  std::vector<int> distances;
  for (std::int64_t step = 1; step < n; step *= 2) {
    distances.push_back(static_cast<int>(std::min<std::int64_t>(step, n - step)));
  }
  std::sort(distances.begin(), distances.end());
  distances.erase(std::unique(distances.begin(), distances.end()), distances.end());
  int degree = 0;
  for (const int distance : distances)
    degree += 2 * std::int64_t{distance} == n ? 1 : 2;
  std::vector<Offset> offsets;
  offsets.reserve(distances.size());
  for (const int distance : distances)
    offsets.push_back({distance, rate / degree});
  return circulant(n, std::move(offsets));
}

NamedGraph exponential_paper(int n, double rate) {
  if (!std::has_single_bit(static_cast<unsigned>(n))) {
    throw ConfigurationError(
        fmt::format("graph exponential-paper: {} workers; the authors' graph needs a power of 2 (exponential "
                    "takes any number)",
                    n));
  }
  const int listed =
      2 * std::countr_zero(static_cast<unsigned>(n));  // +2^k and −2^k each, the antipode twice
  std::vector<Offset> offsets;
  for (std::int64_t step = 1; step < n; step *= 2) {
    offsets.push_back({static_cast<int>(step), (2 * step == n ? 2.0 : 1.0) * rate / listed});
  }
  return circulant(n, std::move(offsets));
}

NamedGraph alone() {
  Constants nothing_to_do;
  return {0, [] { return std::vector<Edge>(); }, [nothing_to_do] { return nothing_to_do; }};
}

}  // namespace

std::optional<NamedGraph> named_graph(std::string_view description, int workers, double rate) {
  constexpr std::string_view kTorus = "torus:";
  if (description.starts_with(kTorus)) {
    if (workers == 1) return alone();
    return torus(parse_sides(description.substr(kTorus.size()), workers), rate);
  }
  using Maker = NamedGraph (*)(int, double);
  static constexpr std::pair<std::string_view, Maker> kMakers[] = {
      {"ring", ring},
      {"path", path},
      {"star", star},
      {"complete", complete},
      {"torus", [](int n, double budget) { return torus(squarest_sides(n), budget); }},
      {"hypercube", hypercube},
      {"exponential", exponential},
      {"exponential-paper", exponential_paper},
  };
  for (const auto& [name, make] : kMakers) {
    if (name == description) return workers == 1 ? alone() : make(workers, rate);
  }
  return std::nullopt;
}

}  // namespace duet::topology
