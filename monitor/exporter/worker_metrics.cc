#include "worker_metrics.h"

#include <cstddef>
#include <string>
#include <utility>

#include "family.h"
#include "page_text.h"

namespace duet::exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

double number(std::uint64_t count) {
  return static_cast<double>(count);
}

/// One value for each edge, or their sum.
template <typename Value>
MetricFamily of_edges(const WorkerView& view, const char* name, const char* help, Value value) {
  MetricFamily made = family(name, help, MetricType::Counter);
  double sum = 0.0;
  for (const EdgeStatistics& edge : view.statistics.edges) {
    if (edges_in_full(view)) add(made, value(edge), {{"peer", std::to_string(edge.peer)}});
    sum += value(edge);
  }
  if (!edges_in_full(view)) add(made, sum, {{"peer", "all"}});
  return made;
}

void add_identity(const WorkerView& view, std::vector<MetricFamily>& all) {
  auto build = family("duet_build_info", "1; the release of Duet that this worker runs.", MetricType::Gauge);
  add(build, 1.0, {{"version", label_text(view.version)}});
  all.push_back(std::move(build));
  auto info = family("duet_worker_info", "1; which worker of which run this is.", MetricType::Gauge);
  add(info, 1.0,
      {{"algorithm", label_text(view.algorithm)},
       {"rank", std::to_string(view.rank)},
       {"run_id", label_text(view.run_id)},
       {"topology", label_text(view.topology)},
       {"transport", label_text(view.transport)},
       {"world_size", std::to_string(view.world_size)}});
  all.push_back(std::move(info));
}

void add_meetings(const WorkerView& view, std::vector<MetricFamily>& all) {
  const WorkerStatistics& own = view.statistics;
  all.push_back(
      of_edges(view, "duet_pairings_total",
               "Complete meetings with each neighbour. Counted at both ends: the run's number is half "
               "of the sum over all workers.",
               [](const EdgeStatistics& edge) { return number(edge.meetings); }));
  all.push_back(of_edges(view, "duet_pairing_failures_total", "Meetings with each neighbour that broke off.",
                         [](const EdgeStatistics& edge) { return number(edge.failures); }));
  all.push_back(of_edges(view, "duet_sent_bytes_total",
                         "Bytes of blocks sent to each neighbour in meetings, headers included.",
                         [](const EdgeStatistics& edge) { return number(edge.bytes_sent); }));
  all.push_back(of_edges(view, "duet_received_bytes_total",
                         "Bytes of blocks received from each neighbour in meetings, headers included.",
                         [](const EdgeStatistics& edge) { return number(edge.bytes_received); }));
  if (edges_in_full(view)) {
    auto last = family("duet_last_pairing_timestamp_seconds",
                       "When this worker last met each neighbour, Unix time; 0: never.", MetricType::Gauge);
    auto distance =
        family("duet_pairing_distance",
               "Distance of the two workers' parameters, |x_i - x_j|, at their last meeting, before "
               "it.",
               MetricType::Gauge);
    for (const EdgeStatistics& edge : own.edges) {
      add(last, edge.last_meeting, {{"peer", std::to_string(edge.peer)}});
      if (edge.meetings > 0) add(distance, edge.last_distance, {{"peer", std::to_string(edge.peer)}});
    }
    all.push_back(std::move(last));
    if (!distance.metric.empty()) all.push_back(std::move(distance));
  }
  all.push_back(
      gauge("duet_edge_series",
            "1: each neighbour has time series of its own; 0: they are summed up under peer=\"all\".",
            edges_in_full(view) ? 1.0 : 0.0));
  all.push_back(histogram("duet_pairing_wait_seconds",
                          "How long a worker with budget for a meeting was without a partner.",
                          own.pairing_wait));
  all.push_back(
      histogram("duet_pairing_duration_seconds", "How long complete meetings took.", own.pairing_duration));
  all.push_back(
      gauge("duet_pairing_target_rate_hertz",
            "Meetings per second that this worker should have: its rate in the graph, times its own "
            "recent gradient steps per second.",
            own.target_rate_hertz));
  static constexpr const char* kReasons[kRejectReasons] = {"header", "checksum", "non_finite"};
  auto rejected = family("duet_rejected_blocks_total",
                         "Blocks refused in meetings before anything of them reached the parameters.",
                         MetricType::Counter);
  for (std::size_t i = 0; i < kRejectReasons; ++i)
    add(rejected, number(own.rejected_by_reason[i]), {{"reason", kReasons[i]}});
  all.push_back(std::move(rejected));
  all.push_back(counter("duet_shed_pairings_total", "Meetings of the budget that could not be held in time.",
                        number(own.shed_meetings)));
  all.push_back(counter("duet_reconnects_total",
                        "Data connections opened to a neighbour that had had one before.",
                        number(own.reconnects)));
}

void add_run(const WorkerView& view, std::vector<MetricFamily>& all) {
  const WorkerStatistics& own = view.statistics;
  if (own.chi1 > 0.0) {
    all.push_back(gauge("duet_topology_chi1",
                        "Inverse algebraic connectivity of the graph among those present.", own.chi1));
    all.push_back(gauge("duet_topology_chi2",
                        "Half of the largest effective resistance over an edge of that graph.", own.chi2));
  }
  all.push_back(gauge("duet_topology_components",
                      "Parts into which the graph among those present falls; more than 1: split.",
                      own.components));
  all.push_back(
      gauge("duet_membership_epoch", "1 + members lost, as this worker knows it.", number(own.epoch)));
  all.push_back(gauge("duet_parameters_finite",
                      "0: this worker's parameters held a NaN or an infinity when they were last looked at.",
                      own.parameters_finite ? 1.0 : 0.0));
  if (view.tick) {
    all.push_back(gauge("duet_consensus_distance",
                        "Of the run: sqrt of the mean over workers of |x_i - mean|^2, estimated from count "
                        "sketches of 1024 numbers (relative error about 4 %).",
                        view.tick->consensus_distance));
    all.push_back(gauge("duet_distance_to_mean",
                        "Of this worker: |x_i - mean|, estimated from count sketches of 1024 numbers "
                        "(relative error about 4 %).",
                        view.tick->distance_to_mean));
    all.push_back(gauge("duet_tick_timestamp_seconds",
                        "Of the tick that duet_consensus_distance and duet_distance_to_mean are from, Unix "
                        "time.",
                        view.tick->time));
  }
  auto dropped = family("duet_telemetry_dropped_total",
                        "What telemetry left out: events for which there was no room, ticks that came to "
                        "nothing.",
                        MetricType::Counter);
  add(dropped, number(own.dropped_events), {{"reason", "event_queue_full"}});
  add(dropped, number(own.broken_ticks), {{"reason", "broken_tick"}});
  all.push_back(std::move(dropped));
}

}  // namespace

bool edges_in_full(const WorkerView& view) {
  return view.statistics.edges.size() <= static_cast<std::size_t>(view.most_edges);
}

std::vector<MetricFamily> worker_metrics(const WorkerView& view) {
  std::vector<MetricFamily> all;
  add_identity(view, all);
  all.push_back(
      counter("duet_gradient_steps_total", "Gradient steps of this worker.", number(view.statistics.steps)));
  all.push_back(histogram("duet_gradient_step_duration_seconds",
                          "From one gradient step to the next, waiting included.",
                          view.statistics.step_duration));
  if (view.reports_meetings) add_meetings(view, all);
  add_run(view, all);
  return all;
}

}  // namespace duet::exporter
