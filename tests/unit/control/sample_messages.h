#pragma once

#include <limits>
#include <string>
#include <vector>

#include "control/messages.h"

namespace duet::control {

inline membership::Entry sample_entry(int rank, int world_size) {
  membership::Entry entry;
  entry.rank = rank;
  entry.world_size = world_size;
  entry.incarnation = {0x0123456789abcdefu + static_cast<unsigned>(rank), 0xfedcba9876543210u};
  entry.host = "node-" + std::to_string(rank);
  entry.pid = 4'000'000'000 + rank;
  entry.control_address = "tcp://127.0.0.1:" + std::to_string(40000 + rank);
  entry.transports = {{"libfabric", std::string("\0\x01\xff opaque", 10)}, {"nccl", "another"}};
  entry.schema_hash = 0xdeadbeefcafef00d;
  entry.schema = "conv1.weight float32 64x3x7x7\nconv1.bias float32 64";
  entry.options = "algorithm=a2cid2, graph=ring, rate=1";
  entry.local_rank = rank % 4;
  entry.telemetry_address = "tcp://10.0.0.7:" + std::to_string(29800 + rank % 4);
  return entry;
}

/// One message with every body, none of whose fields has its default.
inline std::vector<Message> sample_messages() {
  const Header header{.run = 0x1122334455667788, .epoch = 3, .rank = 5, .from = {1, 2}, .to = {3, ~0ull}};
  TickSums sums{.tick = 10,
                .tree = 11,
                .members = 12,
                .steps = 13,
                .samples = 14,
                .meeting_ends = 15,
                .losses = 16,
                .loss_sum = -1.5,
                .squared_deviations = 2.25,
                .sketch = {}};
  for (int i = 0; i < 1024; ++i)
    sums.sketch.push_back(i * 0.125 - 7.0);
  sums.sketch[3] = std::numeric_limits<double>::infinity();
  Heartbeat heartbeat;
  for (unsigned i = 0; i < 5; ++i) {
    heartbeat.states.push_back({.incarnation = {i, 7},
                                .phase = static_cast<membership::Phase>(i),
                                .beats = 50u + i,
                                .steps = ~0ull - i,
                                .samples = 100u + i,
                                .meetings = 200u + i,
                                .attempt = 300u + i,
                                .passes = 400u + i,
                                .result = 500u + i,
                                .squared_distance = 0.5 * (i + 1)});
    if (i % 2 == 0)
      heartbeat.metrics.push_back({static_cast<int>(i), i + 1, "10.0.0." + std::to_string(i) + ":29700"});
  }
  return {
      {header, Join{sample_entry(5, 8)}},
      {header, JoinPending{{0, 3, 7}}},
      {header, JoinRefused{"rank 3 trains another model", true}},
      {header, Joined{"run-7", {sample_entry(0, 3), sample_entry(1, 3), sample_entry(2, 3)}}},
      {header, heartbeat},
      {header, Pair{{pairing::MessageKind::kDecline, 77, 78, pairing::DeclineReason::kJustMet},
                    79,
                    std::string(kLargestTicket, '\0'),
                    1.5}},
      {header, TickUp{sums}},
      {header, TickDown{sums}},
      {header, Part{9, std::string("text with \0 inside", 18)}},
      {header, PartReceived{9}},
      {header, TicketRequest{82}},
      {header, Ticket{83, std::string("ticket with \0 inside", 20)}},
  };
}

}  // namespace duet::control
