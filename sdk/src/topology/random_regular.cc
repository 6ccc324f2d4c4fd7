#include "topology/random_regular.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>

#include "topology/checks.h"

namespace duet::topology {
namespace {

using Pair = std::pair<int, int>;

/// Who is whose neighbour; `degree` places each, so that looking one up is a short scan.
class Places {
 public:
  Places(int n, int degree, const std::vector<Pair>& edges)
      : degree_(static_cast<std::size_t>(degree)), places_(static_cast<std::size_t>(n) * degree_, -1) {
    for (const auto& [a, b] : edges) {
      replace(a, -1, b);
      replace(b, -1, a);
    }
  }
  bool joined(int a, int b) const { return std::find(begin(a), begin(a) + degree_, b) != begin(a) + degree_; }
  void replace(int a, int old_neighbour, int new_neighbour) {
    places_[static_cast<std::size_t>(std::find(begin(a), begin(a) + degree_, old_neighbour) -
                                     places_.data())] = new_neighbour;
  }

 private:
  const int* begin(int a) const { return places_.data() + static_cast<std::size_t>(a) * degree_; }

  std::size_t degree_;
  std::vector<int> places_;
};

/// std::uniform_int_distribution differs between standard libraries; this does not. The bias of a 64-bit
/// remainder is of no consequence here.
std::size_t draw(std::mt19937_64& random, std::size_t below) {
  return static_cast<std::size_t>(random() % below);
}

std::vector<Pair> circulant(int n, int degree) {
  std::vector<Pair> edges;
  for (int offset = 1; offset <= degree / 2; ++offset) {
    for (int i = 0; i < n; ++i)
      edges.emplace_back(i, (i + offset) % n);
  }
  if (degree % 2 == 1) {
    for (int i = 0; i < n / 2; ++i)
      edges.emplace_back(i, i + n / 2);
  }
  return edges;
}

/// {a, b}, {c, d} → {a, c}, {b, d} on random pairs of edges, wherever the graph stays simple: degrees stay as
/// they are.
void shuffle(int n, int degree, std::vector<Pair>& edges, std::mt19937_64& random) {
  Places places(n, degree, edges);
  for (std::size_t attempt = 0; attempt < 20 * edges.size(); ++attempt) {
    Pair& first = edges[draw(random, edges.size())];
    Pair& second = edges[draw(random, edges.size())];
    auto [a, b] = first;
    auto [c, d] = second;
    if (random() % 2 == 1) std::swap(c, d);
    if (a == c || b == d || a == d || b == c) continue;
    if (places.joined(a, c) || places.joined(b, d)) continue;
    places.replace(a, b, c);
    places.replace(b, a, d);
    places.replace(c, d, a);
    places.replace(d, c, b);
    first = {a, c};
    second = {b, d};
  }
}

/// Joins what the shuffle left apart. An edge that closes a cycle in its part, switched with any edge of
/// worker 0's part, joins the two, and no such edge can be there yet. With degree ≥ 2 every part has a cycle.
void connect(int n, std::vector<Pair>& edges) {
  Components components(n);
  std::vector<std::size_t> closing;  // edges that close a cycle
  for (std::size_t k = 0; k < edges.size(); ++k) {
    if (!components.join(edges[k].first, edges[k].second)) closing.push_back(k);
  }
  std::size_t home = 0;
  while (components.root(edges[home].first) != components.root(0))
    ++home;
  for (const std::size_t k : closing) {
    if (!components.join(edges[k].first, 0)) continue;
    std::swap(edges[k].second, edges[home].first);  // {a, b}, {c, d} → {a, c}, {b, d}
  }
}

}  // namespace

std::vector<Edge> random_regular(int workers, int degree, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Pair> pairs = circulant(workers, degree);
  shuffle(workers, degree, pairs, random);
  connect(workers, pairs);
  std::vector<Edge> edges;
  edges.reserve(pairs.size());
  for (const auto& [a, b] : pairs)
    edges.push_back({std::min(a, b), std::max(a, b), 1.0});
  std::sort(edges.begin(), edges.end(), [](const Edge& left, const Edge& right) {
    return std::pair(left.a, left.b) < std::pair(right.a, right.b);
  });
  return edges;
}

}  // namespace duet::topology
