#pragma once

#include <cstdint>
#include <vector>

#include "duet/observer/source.h"

namespace duet::observer {

/// What goes wrong in a demo, and when: the given troubles and, if asked for, one of each kind in turns,
/// again and again, with workers drawn from the seed. Pure.
class DemoTroubles {
 public:
  /// `edges`: the graph's, as pairs of ranks; what a dead edge is drawn from.
  struct Pair {
    int a = 0;
    int b = 0;
  };
  DemoTroubles(const DemoOptions& options, std::vector<Pair> edges);

  /// Those that begin in (from, to], by time. Seconds from the start.
  std::vector<DemoTrouble> between(double from, double to) const;

 private:
  std::vector<DemoTrouble> round(std::uint64_t number) const;

  std::vector<DemoTrouble> given_;
  std::vector<Pair> edges_;
  bool standard_;
  int workers_;
  std::uint64_t seed_;
};

}  // namespace duet::observer
