#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "duet/error.h"
#include "duet/topology.h"
#include "info/commands.h"

namespace duet::info {
namespace {

void print_json(const TopologyCommand& command, const Topology& topology, const Constants& constants) {
  nlohmann::ordered_json json;
  json["graph"] = command.graph;
  json["workers"] = command.workers;
  json["edges"] = topology.edge_count();
  json["rate"] = command.rate;
  json["chi1"] = constants.chi1;
  json["chi2"] = constants.chi2;
  json["eta"] = constants.eta;
  json["alpha"] = constants.alpha;
  json["alpha_tilde"] = constants.alpha_tilde;
  std::cout << json.dump(2) << "\n";
}

void print_table(const TopologyCommand& command, const Topology& topology, const Constants& constants) {
  const auto line = [](const char* name, auto value, const char* meaning) {
    std::cout << std::left << std::setw(12) << name << std::setw(14) << value << meaning << "\n";
  };
  std::cout << std::setprecision(6);
  line("graph", command.graph, "");
  line("workers", command.workers, "");
  line("edges", topology.edge_count(), "");
  line("rate", command.rate, "meetings per gradient step and worker, at most");
  line("chi1", constants.chi1, "1 / algebraic connectivity: what plain averaging has to fight");
  line("chi2", constants.chi2, "half the largest effective resistance of an edge");
  line("eta", constants.eta, "rate at which x and its momentum mix");
  line("alpha", constants.alpha, "step of the parameters at a meeting");
  line("alpha_tilde", constants.alpha_tilde, "step of the momentum at a meeting");
  if (constants.accelerates) {
    std::cout << "\nTime to consensus grows with chi1 = " << constants.chi1
              << " for plain averaging, with sqrt(chi1 chi2) = " << std::sqrt(constants.chi1 * constants.chi2)
              << " for A2CiD2.\n";
  } else {
    std::cout
        << "\nThere is nothing to accelerate: chi1 = chi2, every edge is as good as the whole graph. A2CiD2 "
           "does what plain averaging does.\n";
  }
}

void print_edges(const Topology& topology) {
  const std::vector<Edge>& edges = topology.edges();
  std::cout << "# " << topology.name() << " of " << topology.workers() << ": worker worker rate\n"
            << std::setprecision(17);
  for (const Edge& edge : edges)
    std::cout << edge.a << " " << edge.b << " " << edge.rate << "\n";
}

}  // namespace

void show_topology(const TopologyCommand& command) {
  if (command.workers < 2) {
    throw ConfigurationError("--workers " + std::to_string(command.workers) +
                             ": a graph needs at least 2 workers; one alone has nobody to meet");
  }
  const Topology topology = Topology::make(command.graph, command.workers, command.rate);
  if (command.edges) return print_edges(topology);
  const Constants constants = topology.constants();
  if (command.json) {
    print_json(command, topology, constants);
  } else {
    print_table(command, topology, constants);
  }
}

}  // namespace duet::info
