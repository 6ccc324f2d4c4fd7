#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "control/channel.h"
#include "duet/error.h"
#include "membership/rendezvous.h"

/// Workers that are threads, and what joining came to for each of them.
namespace duet::membership {

inline Entry test_entry(int rank, int world_size) {
  Entry entry;
  entry.rank = rank;
  entry.world_size = world_size;
  entry.incarnation = Incarnation::random();
  entry.host = "node-" + std::to_string(rank);
  entry.pid = 1000 + rank;
  entry.transports = {{"libfabric", std::string("\0blob", 5)}};
  entry.schema_hash = 77;
  entry.schema = "weight float32 10x20\nbias float32 10";
  entry.options = "algorithm=a2cid2, graph=ring";
  return entry;
}

/// A port that was free a moment ago.
inline int free_port() {
  const control::Channel channel(control::ChannelOptions{});
  return std::stoi(channel.address().substr(channel.address().rfind(':') + 1));
}

struct Joiner {
  Entry entry;
  double delay = 0.0;  ///< seconds before it starts
  JoinOptions options = {.run_id = {}, .answer_timeout = 10.0, .complete_timeout = 10.0};
  std::string secret = {};
};

struct Outcome {
  Roster roster;
  std::string membership_error, timeout, other_error;
  double seconds = 0.0;
  bool joined() const { return !roster.entries.empty(); }
};

/// Runs one thread per joiner. A seed is bound by rank 0.
inline std::vector<Outcome> join_all(const std::string& rendezvous, const std::vector<Joiner>& joiners) {
  std::vector<Outcome> outcomes(joiners.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < joiners.size(); ++i) {
    threads.emplace_back([&rendezvous, joiner = joiners[i], &outcome = outcomes[i]] {
      std::this_thread::sleep_for(std::chrono::duration<double>(joiner.delay));
      const auto start = std::chrono::steady_clock::now();
      try {
        const SeedAddress seed = parse_seed(rendezvous);
        control::Channel channel({.port = joiner.entry.rank == 0 ? seed.port : 0, .secret = joiner.secret});
        Entry mine = joiner.entry;
        mine.control_address = channel.address();
        outcome.roster = make_rendezvous(rendezvous, channel)->join(mine, joiner.options);
      } catch (const MembershipError& error) {
        outcome.membership_error = error.what();
      } catch (const TimeoutError& error) {
        outcome.timeout = error.what();
      } catch (const std::exception& error) {
        outcome.other_error = error.what();
      }
      outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  return outcomes;
}

}  // namespace duet::membership
