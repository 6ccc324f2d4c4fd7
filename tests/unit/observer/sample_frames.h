#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "duet/observer/source.h"
#include "telemetry/frame.h"

/// A ring of workers that says what the test wants it to say.
namespace duet::observer {

class SampleRun {
 public:
  explicit SampleRun(int workers, std::string run_id = "run-1") : run_id_(std::move(run_id)) {
    for (int rank = 0; rank < workers; ++rank)
      lives_.push_back({1, static_cast<std::uint64_t>(100 + rank), 0});
  }

  int workers() const { return static_cast<int>(lives_.size()); }
  void restart(int rank) {
    ++life(rank).number;
    life(rank).sequence = 0;
  }
  void lose_frames(int rank, std::uint64_t count) { life(rank).sequence += count; }

  telemetry::FrameHeader header(int rank) const {
    telemetry::FrameHeader header;
    header.started = 900.0;
    header.version = "1.0.0";
    header.host = "node" + std::to_string(rank);
    header.pid = 4000 + rank;
    header.world_size = workers();
    header.algorithm = "a2cid2";
    header.graph = "ring";
    header.transport = "inproc";
    header.rate = 1.0;
    header.chi1 = 13.0;
    header.chi2 = 0.9;
    header.eta = 0.14;
    header.alpha_tilde = 1.87;
    header.tick_interval = 1.0;
    header.frame_interval = 0.2;
    header.gone_after = 5.0;
    header.epoch = 1;
    for (int a = 0; a < workers() && workers() > 1; ++a) {
      const int b = (a + 1) % workers();
      if (workers() > 2 || a < b) header.edges.push_back({std::min(a, b), std::max(a, b), 0.5});
    }
    for (int other = 0; other < workers(); ++other) {
      telemetry::FrameMember member;
      member.rank = other;
      member.incarnation = incarnation(other);
      member.host = "node" + std::to_string(other);
      member.telemetry_address = "tcp://node" + std::to_string(other) + ":29800";
      header.roster.push_back(member);
    }
    return header;
  }

  /// The two neighbours share the meetings.
  telemetry::FrameState state(int rank, std::uint64_t steps, std::uint64_t meetings) const {
    telemetry::FrameState state;
    state.epoch = 1;
    state.steps = steps;
    state.meetings = meetings;
    state.target_rate = 1.0;
    for (const int peer : {(rank + workers() - 1) % workers(), (rank + 1) % workers()}) {
      telemetry::FrameEdge edge;
      edge.peer = peer;
      edge.target_rate = 0.5;
      edge.meetings = meetings / 2;
      edge.sent_bytes = edge.received_bytes = 1000 * edge.meetings;
      state.edges.push_back(edge);
    }
    return state;
  }

  telemetry::Frame frame(int rank, double time, telemetry::FrameHeader content) {
    return make(rank, time, std::move(content));
  }
  telemetry::Frame frame(int rank, double time, telemetry::FrameState content) {
    return make(rank, time, std::move(content));
  }
  template <typename Content>
  Arrival arrival(int rank, double time, Content content, double delay = 0.01) {
    return {time + delay, telemetry::encode(make(rank, time, std::move(content)))};
  }

  membership::Incarnation incarnation(int rank) const {
    const Life& life = lives_[static_cast<std::size_t>(rank)];
    return {life.number, life.low};
  }

 private:
  struct Life {
    std::uint64_t number;
    std::uint64_t low;
    std::uint64_t sequence;
  };
  Life& life(int rank) { return lives_[static_cast<std::size_t>(rank)]; }
  template <typename Content>
  telemetry::Frame make(int rank, double time, Content content) {
    telemetry::Frame frame;
    frame.run_id = run_id_;
    frame.rank = rank;
    frame.incarnation = incarnation(rank);
    frame.sequence = ++life(rank).sequence;
    frame.time = time;
    frame.content = std::move(content);
    return frame;
  }

  std::string run_id_;
  std::vector<Life> lives_;
};

}  // namespace duet::observer
