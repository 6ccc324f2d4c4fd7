#include "duet/topology.h"

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <optional>
#include <system_error>
#include <utility>

#include "duet/error.h"
#include "topology/checks.h"
#include "topology/closed_form.h"
#include "topology/dense.h"
#include "topology/edge_file.h"
#include "topology/named_graph.h"
#include "topology/numbers.h"
#include "topology/random_regular.h"

namespace duet {
namespace {

constexpr std::uint64_t kMostEdges = std::uint64_t{1} << 27;  // 2 GiB of edges

struct RandomRegular {
  int degree = 0;
  std::uint64_t seed = 0;
};

/// "d[:seed]"
RandomRegular parse_random_regular(std::string_view text, int workers) {
  const std::string name = fmt::format("random-regular:{}", text);
  const auto refuse = [&](const std::string& why) {
    throw ConfigurationError(fmt::format("graph {}: {}", name, why));
  };
  const std::size_t colon = text.find(':');
  const auto degree = topology::parse_number<int>(text.substr(0, std::min(colon, text.size())));
  std::optional<std::uint64_t> seed = 0;
  if (colon != std::string_view::npos) seed = topology::parse_number<std::uint64_t>(text.substr(colon + 1));
  if (!degree || !seed)
    refuse("write random-regular:DEGREE or random-regular:DEGREE:SEED, two whole numbers");
  if (workers == 1) return {};
  const int least = workers == 2 ? 1 : 2;
  if (*degree < least || *degree >= workers) {
    refuse(fmt::format("{} workers can have {} to {} neighbours each", workers, least, workers - 1));
  }
  if (static_cast<std::int64_t>(workers) * *degree % 2 != 0) {
    refuse(fmt::format("{} workers with {} neighbours each: one of the two numbers must be even", workers,
                       *degree));
  }
  if (static_cast<std::uint64_t>(workers) * static_cast<std::uint64_t>(*degree) / 2 > kMostEdges) {
    refuse("too many edges to list");
  }
  return {*degree, *seed};
}

std::ifstream open_graph_file(const std::string& path) {
  constexpr const char* kRemedy = "name a file with a line `i j [rate]` per edge: file:PATH";
  if (path.empty()) throw ConfigurationError(fmt::format("graph file: the path is missing; {}", kRemedy));
  std::ifstream input(path);
  if (!input) {
    throw ConfigurationError(fmt::format("graph file {}: {}; {}", path, std::strerror(errno), kRemedy));
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {  // opens like any file
    throw ConfigurationError(fmt::format("graph file {}: is a directory; {}", path, kRemedy));
  }
  return input;
}

}  // namespace

/// Immutable but for what is listed on first use.
class Topology::State {
 public:
  State(std::string name, int workers, topology::NamedGraph graph)
      : name_(std::move(name)), workers_(workers), graph_(std::move(graph)) {}
  State(std::string name, int workers, std::vector<Edge> edges) : name_(std::move(name)), workers_(workers) {
    graph_.edge_count = edges.size();
    std::call_once(edges_listed_, [&] { edges_ = std::move(edges); });
  }

  const std::string& name() const { return name_; }
  int workers() const { return workers_; }
  const topology::NamedGraph& graph() const { return graph_; }

  const std::vector<Edge>& edges() const {
    if (graph_.edge_count > kMostEdges) {
      throw ConfigurationError(fmt::format("graph {}: {} workers have {} edges, too many to list one by one",
                                           name_, workers_, graph_.edge_count));
    }
    std::call_once(edges_listed_, [this] { edges_ = graph_.edges(); });
    return edges_;
  }

  const std::vector<std::vector<Neighbour>>& adjacency() const {
    const std::vector<Edge>& all = edges();
    std::call_once(adjacency_listed_, [&] {
      std::vector<std::size_t> degree(static_cast<std::size_t>(workers_), 0);
      for (const Edge& edge : all) {
        ++degree[static_cast<std::size_t>(edge.a)];
        ++degree[static_cast<std::size_t>(edge.b)];
      }
      adjacency_.resize(degree.size());
      for (std::size_t i = 0; i < degree.size(); ++i)
        adjacency_[i].reserve(degree[i]);
      for (const Edge& edge : all) {  // sorted by (a, b), so every list comes out sorted
        adjacency_[static_cast<std::size_t>(edge.a)].push_back({edge.b, edge.rate});
        adjacency_[static_cast<std::size_t>(edge.b)].push_back({edge.a, edge.rate});
      }
    });
    return adjacency_;
  }

 private:
  std::string name_;
  int workers_;
  topology::NamedGraph graph_;  // without functions where the edges were given
  mutable std::once_flag edges_listed_;
  mutable std::once_flag adjacency_listed_;
  mutable std::vector<Edge> edges_;
  mutable std::vector<std::vector<Neighbour>> adjacency_;
};

Topology::Topology(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Topology Topology::from_edges(int workers, std::vector<Edge> edges, std::string name) {
  topology::require_workers(name, workers);
  topology::normalise(name, workers, edges);
  topology::require_connected(name, workers, edges);
  return Topology(std::make_shared<const State>(std::move(name), workers, std::move(edges)));
}

Topology Topology::with_budget(int workers, std::vector<Edge> edges, double rate, std::string name) {
  topology::require_workers(name, workers);
  topology::require_rate(name, rate);
  for (Edge& edge : edges)
    edge.rate = 1.0;
  topology::normalise(name, workers, edges);
  topology::share_budget(workers, rate, edges);
  topology::require_connected(name, workers, edges);
  return Topology(std::make_shared<const State>(std::move(name), workers, std::move(edges)));
}

Topology Topology::make(std::string_view description, int workers, double rate) {
  std::string name(description);
  topology::require_workers(name, workers);
  topology::require_rate(name, rate);
  if (auto graph = topology::named_graph(description, workers, rate)) {
    return Topology(std::make_shared<const State>(std::move(name), workers, std::move(*graph)));
  }
  constexpr std::string_view kRandomRegular = "random-regular:";
  if (description.starts_with(kRandomRegular)) {
    const RandomRegular wanted = parse_random_regular(description.substr(kRandomRegular.size()), workers);
    std::vector<Edge> edges;
    if (workers > 1) edges = topology::random_regular(workers, wanted.degree, wanted.seed);
    return with_budget(workers, std::move(edges), rate, std::move(name));
  }
  constexpr std::string_view kFile = "file:";
  if (description.starts_with(kFile)) {
    const std::string path(description.substr(kFile.size()));
    std::ifstream input = open_graph_file(path);
    topology::EdgeFile file = topology::read_edge_file(input, path, workers);
    if (!file.has_rates) return with_budget(workers, std::move(file.edges), rate, std::move(name));
    for (Edge& edge : file.edges)
      edge.rate *= rate;
    return from_edges(workers, std::move(file.edges), std::move(name));
  }
  throw ConfigurationError(
      fmt::format("unknown graph \"{}\"; there are {}", description, fmt::join(known(), ", ")));
}

const std::vector<std::string>& Topology::known() {
  static const std::vector<std::string> names = {
      "ring", "complete",    "exponential", "exponential-paper",       "star",
      "path", "torus[:RxC]", "hypercube",   "random-regular:d[:seed]", "file:PATH"};
  return names;
}

int Topology::workers() const {
  return state_->workers();
}
const std::string& Topology::name() const {
  return state_->name();
}
std::uint64_t Topology::edge_count() const {
  return state_->graph().edge_count;
}
const std::vector<Edge>& Topology::edges() const {
  return state_->edges();
}

const std::vector<Neighbour>& Topology::neighbours(int worker) const {
  return state_->adjacency().at(static_cast<std::size_t>(worker));
}

double Topology::rate_of(int worker) const {
  const std::vector<Neighbour>& all = neighbours(worker);
  return std::accumulate(all.begin(), all.end(), 0.0,
                         [](double sum, const Neighbour& neighbour) { return sum + neighbour.rate; });
}

Constants Topology::constants() const {
  return state_->graph().constants ? state_->graph().constants() : dense_constants();
}

bool Topology::has_closed_form() const {
  return state_->graph().constants != nullptr;
}

Constants Topology::dense_constants() const {
  if (workers() == 1) return Constants{};
  if (workers() > topology::kDenseLimit) {
    throw ConfigurationError(
        fmt::format("graph {}: {} workers; without a closed form its constants are to be had up to {} "
                    "workers. Ring, path, star, "
                    "complete, torus, hypercube and exponential have one at any size",
                    name(), workers(), topology::kDenseLimit));
  }
  return topology::dense_constants(workers(), edges());
}

}  // namespace duet
