#pragma once

#include <vector>

#include "view.h"

namespace duet::exporter {

/// A worker in the middle of a run, with `neighbours` edges.
inline WorkerView sample_view(int neighbours = 2) {
  WorkerView view;
  view.rank = 1;
  view.world_size = 4;
  view.run_id = "run-7";
  view.version = "1.0.0";
  view.transport = "libfabric";
  view.topology = "ring";
  view.algorithm = "a2cid2";
  auto& own = view.statistics;
  own.rank = 1;
  own.steps = 1000;
  own.meetings = 0;
  for (int i = 0; i < neighbours; ++i) {
    own.edges.push_back({.peer = i + 2,
                         .target_rate = 0.5,
                         .meetings = 10,
                         .failures = 1,
                         .bytes_sent = 1000,
                         .bytes_received = 2000,
                         .last_distance = 0.25,
                         .last_meeting = 1.7e9,
                         .in_graph = true});
    own.meetings += 10;
  }
  own.step_duration.counts = {0, 0, 5, 990, 0, 0, 0, 0, 0, 0, 0, 0, 4};
  own.step_duration.sum = 12.5;
  own.shed_meetings = 3;
  own.rejected_by_reason = {1, 2, 4};
  own.reconnects = 2;
  own.target_rate_hertz = 12.0;
  own.chi1 = 1.0;
  own.chi2 = 0.75;
  own.dropped_events = 8;
  own.broken_ticks = 9;
  view.tick = {.time = 1.7e9, .consensus_distance = 0.5, .distance_to_mean = 0.25};
  return view;
}

/// Four members: two that are there, one that was lost (rank 2), one that left (rank 3).
inline std::vector<MemberStatus> sample_members() {
  return {{.rank = 0, .host = "node-1", .telemetry_address = {}, .metrics_address = "127.0.0.1:29700"},
          {.rank = 1, .host = "node-1", .telemetry_address = {}, .metrics_address = "127.0.0.1:29701"},
          {.rank = 2,
           .host = "node-2",
           .live = false,
           .telemetry_address = {},
           .metrics_address = "127.0.0.1:29702"},
          {.rank = 3,
           .host = "node-2",
           .live = false,
           .telemetry_address = {},
           .metrics_address = "127.0.0.1:29703"}};
}

}  // namespace duet::exporter
