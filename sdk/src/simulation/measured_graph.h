#pragma once

#include "duet/topology.h"
#include "simulation/pairing_run.h"

namespace duet::simulation {

/// The graph that the workers really meet on: its edges with the rates that they reach, per unit of virtual
/// time, when the run's pairing is tried for some hundred steps, or longer where edges are to be used rarely.
/// Edges that are never used are left out. Pairing does not depend on parameters, so there are none.
///
/// Where the network delivers less than was assumed, or some edges less than others, χ₁ and χ₂ of this graph
/// belong to what is delivered, while those of the graph as it was meant do not. Throws ConfigurationError
/// when the workers fell apart, so that no rate of theirs makes a graph, or when the trial would have no end.
Topology measured_graph(const Topology& meant, PairingRunOptions options);

}  // namespace duet::simulation
