#pragma once

#include <duet/topology.h>

#include <vector>

/// Machines in racks, a fast switch in each and one slow cable from rack to rack: workers of one rack meet
/// often, those of different racks seldom. Where somebody is missing, the cable goes to who is left.
class RackTopology : public duet::TopologyPolicy {
 public:
  explicit RackTopology(int rack_size) : rack_size_(rack_size) {}

  duet::Topology graph(const std::vector<int>& members) const override;

 private:
  int rack_size_;
};
