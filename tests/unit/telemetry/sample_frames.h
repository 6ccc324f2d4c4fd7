#pragma once

#include <vector>

#include "telemetry/frame.h"

namespace duet::telemetry {

/// One frame of either kind, with nothing at its default.
inline std::vector<Frame> sample_frames() {
  Frame frame;
  frame.run_id = "run-7";
  frame.rank = 3;
  frame.incarnation = {0x1122334455667788, 0x99aabbccddeeff00};
  frame.sequence = 41;
  frame.time = 1.7e9 + 0.25;

  FrameHeader header;
  header.started = 1.7e9;
  header.version = "1.0.0";
  header.host = "node-2";
  header.pid = 4711;
  header.local_rank = 1;
  header.world_size = 4;
  header.algorithm = "a2cid2";
  header.graph = "ring";
  header.transport = "libfabric";
  header.clock = "adaptive";
  header.pairing = "holdoff";
  header.rate = 1.5;
  header.wire_type = "bfloat16";
  header.parameters = 25'600'000;
  header.parameter_bytes = 102'400'000;
  header.chi1 = 1.0;
  header.chi2 = 0.75;
  header.eta = 0.57735;
  header.alpha = 0.5;
  header.alpha_tilde = 0.57735;
  header.tick_interval = 0.2;
  header.frame_interval = 0.2;
  header.gone_after = 5.0;
  header.epoch = 2;
  header.edges = {{0, 1, 0.5}, {1, 3, 0.5}};
  header.edges_left_out = 9;
  header.roster = {
      {0, {1, 2}, "node-1", 12, 0, "tcp://10.0.0.1:29800", "10.0.0.1:29700", membership::Phase::kTraining},
      {1, {3, 4}, "node-1", 13, 1, "tcp://10.0.0.1:29801", "", membership::Phase::kGone}};
  frame.content = header;
  std::vector<Frame> frames = {frame};

  FrameState state;
  state.phase = membership::Phase::kFinished;
  state.epoch = 2;
  state.steps = 1000;
  state.samples = 16000;
  state.meetings = 990;
  for (std::size_t i = 0; i < kDurationBuckets; ++i)
    state.step_duration.counts[i] = i + 1;
  state.step_duration.sum = 12.5;
  record(state.pairing_wait, 0.002);
  record(state.pairing_duration, 100.0);
  state.shed_meetings = 3;
  state.rejected_blocks = {1, 2, 3};
  state.reconnects = 4;
  state.broken_ticks = 5;
  state.dropped_events = 6;
  state.wait_seconds = 7.5;
  state.gate_seconds = 0.5;
  state.peer_wait_seconds = 0.25;
  state.losses = 999;
  state.loss = 0.125;
  state.parameters_finite = false;
  state.target_rate = 1.5;
  state.target_rate_hertz = 30.0;
  state.components = 2;
  state.ticks = {{8'500'000'000, 1.7e9, 4, 0.5, 0.25, 2.0, 4000, 64000, 1980}};
  state.edges = {{1, true, 0.75, 500, {0, 1, 2, 3, 4}, 1 << 20, 1 << 21, 0.5, 1.7e9},
                 {2, false, 0.0, 490, {}, 3, 4, 0.0, 0.0}};
  state.heartbeat_ages = {0.5F, 7.0F, 0.25F, 0.0F};
  state.events = {{1.7e9, FrameEventKind::kMeeting, 0, 1, 0.5, 0.003},
                  {1.7e9, FrameEventKind::kMeetingFailed, 4, 2, 0.0, 1.0},
                  {1.7e9, FrameEventKind::kBlockRejected, 2, 2, 0.0, 0.0},
                  {1.7e9, FrameEventKind::kGraphRepaired, 0, -1, 0.0, 0.0}};
  frame.sequence = 42;
  frame.content = state;
  frames.push_back(frame);
  return frames;
}

}  // namespace duet::telemetry
