#include "sum_up.h"

#include <algorithm>

namespace duet::observer {

void sum_up(Snapshot& snapshot) {
  double steps = 0.0, meetings = 0.0, loss = 0.0;
  int stepping = 0, meeting = 0, losing = 0, members = 0;
  for (const Worker& worker : snapshot.workers) {
    if (!worker.live()) continue;
    ++members;
    if (worker.steps_per_second) steps += *worker.steps_per_second, ++stepping;
    if (worker.pairings_per_second) meetings += *worker.pairings_per_second, ++meeting;
    if (worker.loss) loss += *worker.loss, ++losing;
  }
  snapshot.run.members = members;
  snapshot.steps_per_second = stepping > 0 ? std::optional<double>(steps) : std::nullopt;
  snapshot.meetings_per_second = meeting > 0 ? std::optional<double>(meetings / 2.0) : std::nullopt;
  snapshot.mean_loss = losing > 0 ? std::optional<double>(loss / losing) : std::nullopt;

  for (Edge& edge : snapshot.edges) {
    const Worker& a = snapshot.workers[static_cast<std::size_t>(edge.a)];
    const Worker& b = snapshot.workers[static_cast<std::size_t>(edge.b)];
    edge.target_per_second.reset();
    if (edge.in_graph && a.steps_per_second && b.steps_per_second)
      edge.target_per_second = edge.target_rate * std::min(*a.steps_per_second, *b.steps_per_second);
    if (!a.live() && !b.live()) edge.meetings_per_second.reset();
  }
}

}  // namespace duet::observer
