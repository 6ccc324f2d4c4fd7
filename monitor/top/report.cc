#include "report.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace duet::top {
namespace {

using Json = nlohmann::ordered_json;

Json value(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return number;
}
Json value(const std::optional<double>& number) {
  return number ? value(*number) : Json(nullptr);
}

Json run(const observer::Snapshot& snapshot) {
  const observer::RunHeader& run = snapshot.run;
  return {
      {"run_id", run.run_id},         {"version", run.version},       {"algorithm", run.algorithm},
      {"graph", run.graph},           {"transport", run.transport},   {"clock", run.clock},
      {"pairing", run.pairing},       {"wire_type", run.wire_type},   {"world_size", run.world_size},
      {"members", run.members},       {"components", run.components}, {"epoch", run.epoch},
      {"rate", value(run.rate)},      {"chi1", value(run.chi1)},      {"chi2", value(run.chi2)},
      {"eta", value(run.eta)},        {"alpha", value(run.alpha)},    {"alpha_tilde", value(run.alpha_tilde)},
      {"parameters", run.parameters}, {"started", value(run.started)}};
}

Json worker_json(const observer::Worker& worker, double now) {
  Json peers = Json::array();
  for (const observer::PeerCounters& peer : worker.peers) {
    peers.push_back({{"rank", peer.rank},
                     {"pairings", peer.pairings},
                     {"pairing_failures", peer.pairing_failures},
                     {"sent_bytes", peer.sent_bytes},
                     {"received_bytes", peer.received_bytes},
                     {"last_pairing", value(peer.last_pairing)},
                     {"last_distance", value(peer.last_distance)}});
  }
  return {{"rank", worker.rank},
          {"host", worker.host},
          {"pid", worker.pid},
          {"address", worker.address},
          {"incarnation", observer::short_text(worker.incarnation)},
          {"lives", worker.lives},
          {"state", observer::to_string(worker.state)},
          {"state_since", value(worker.state_since)},
          {"finite", worker.finite},
          {"steps", worker.counters.steps},
          {"samples", worker.counters.samples},
          {"pairings", worker.counters.pairings},
          {"pairing_failures", worker.counters.pairing_failures},
          {"shed_pairings", worker.counters.shed_pairings},
          {"reconnects", worker.counters.reconnects},
          {"sent_bytes", worker.counters.sent_bytes},
          {"received_bytes", worker.counters.received_bytes},
          {"steps_per_second", value(worker.steps_per_second)},
          {"pairings_per_second", value(worker.pairings_per_second)},
          {"target_pairings_per_second", value(worker.target_pairings_per_second)},
          {"waiting_share", value(worker.waiting_share)},
          {"partner_wait_share", value(worker.partner_wait_share)},
          {"sent_bytes_per_second", value(worker.sent_bytes_per_second)},
          {"received_bytes_per_second", value(worker.received_bytes_per_second)},
          {"distance_to_mean", value(worker.distance_to_mean)},
          {"loss", value(worker.loss)},
          {"heartbeat_age", value(worker.heartbeat_age(now))},
          {"frames", worker.frames},
          {"frames_lost", worker.frames_lost},
          {"peers", std::move(peers)}};
}

}  // namespace

std::string json_report(const observer::Snapshot& snapshot, const observer::SourceStatus& status) {
  Json workers = Json::array(), edges = Json::array(), findings = Json::array(), events = Json::array();
  for (const observer::Worker& worker : snapshot.workers)
    workers.push_back(worker_json(worker, snapshot.time));
  for (const observer::Edge& edge : snapshot.edges) {
    edges.push_back({{"a", edge.a},
                     {"b", edge.b},
                     {"in_graph", edge.in_graph},
                     {"target_rate", value(edge.target_rate)},
                     {"meetings", edge.meetings},
                     {"failures", edge.failures},
                     {"meetings_per_second", value(edge.meetings_per_second)},
                     {"target_per_second", value(edge.target_per_second)},
                     {"meeting_age", value(edge.meeting_age(snapshot.time))},
                     {"last_distance", value(edge.last_distance)}});
  }
  for (const observer::Finding& finding : snapshot.findings) {
    findings.push_back({{"kind", observer::to_string(finding.kind)},
                        {"severity", observer::to_string(finding.severity)},
                        {"rank", finding.rank},
                        {"peer", finding.peer},
                        {"since", value(finding.since)},
                        {"text", finding.text},
                        {"advice", finding.advice}});
  }
  for (const observer::Event& event : snapshot.events) {
    events.push_back({{"number", event.number},
                      {"time", value(event.time)},
                      {"kind", observer::to_string(event.kind)},
                      {"severity", observer::to_string(event.severity)},
                      {"rank", event.rank},
                      {"peer", event.peer},
                      {"count", event.count},
                      {"text", event.text}});
  }
  Json consensus = nullptr;
  if (snapshot.consensus) {
    consensus = {{"tick", snapshot.consensus->tick},         {"time", value(snapshot.consensus->time)},
                 {"mean", value(snapshot.consensus->mean)},  {"max", value(snapshot.consensus->max)},
                 {"max_rank", snapshot.consensus->max_rank}, {"members", snapshot.consensus->members}};
  }
  const Json report = {{"version", 1},
                       {"time", value(snapshot.time)},
                       {"source",
                        {{"name", status.name},
                         {"state", observer::to_string(status.state)},
                         {"text", status.text},
                         {"frames", status.frames},
                         {"dropped", status.dropped}}},
                       {"run", run(snapshot)},
                       {"consensus", std::move(consensus)},
                       {"missed_ticks", snapshot.missed_ticks},
                       {"steps_per_second", value(snapshot.steps_per_second)},
                       {"meetings_per_second", value(snapshot.meetings_per_second)},
                       {"mean_loss", value(snapshot.mean_loss)},
                       {"workers", std::move(workers)},
                       {"edges", std::move(edges)},
                       {"findings", std::move(findings)},
                       {"events", std::move(events)}};
  // Host names and the like come from the network: whatever is no UTF-8 is replaced.
  return report.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace duet::top
