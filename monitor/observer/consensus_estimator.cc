#include "consensus_estimator.h"

#include <algorithm>
#include <cmath>

namespace duet::observer {
namespace {

// One sum goes down the whole tree: who is of one part says the same, to the bit.
bool same_part(const TickReport& a, const TickReport& b) {
  return a.members == b.members &&
         (a.consensus == b.consensus || (std::isnan(a.consensus) && std::isnan(b.consensus)));
}

}  // namespace

ConsensusSample estimate_consensus(std::vector<TickReport> reports) {
  std::sort(reports.begin(), reports.end(),
            [](const TickReport& a, const TickReport& b) { return a.rank < b.rank; });
  const TickReport* stands = &reports.front();
  for (const TickReport& report : reports)
    if (report.members > stands->members) stands = &report;

  ConsensusSample sample;
  sample.tick = stands->tick;
  sample.time = stands->time;
  sample.mean = stands->consensus;
  sample.members = stands->members;
  for (const TickReport& report : reports) {
    if (!same_part(report, *stands)) continue;
    sample.workers.push_back({report.rank, report.distance});
    // The first that is not finite is the largest of all.
    const bool larger =
        sample.max_rank < 0 || (std::isfinite(sample.max) && !(report.distance <= sample.max));
    if (larger) {
      sample.max = report.distance;
      sample.max_rank = report.rank;
    }
  }
  return sample;
}

}  // namespace duet::observer
