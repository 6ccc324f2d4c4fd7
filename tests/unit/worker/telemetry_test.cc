// What a run's workers publish, heard as a monitor hears it.
#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <thread>
#include <zmq.hpp>

#include "telemetry/frame.h"
#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;
using namespace std::chrono_literals;
namespace telemetry = duet::telemetry;

/// Subscribes to one worker after another and keeps what comes.
class Listener {
 public:
  Listener() : socket_(context_, zmq::socket_type::sub) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::subscribe, "");
    socket_.set(zmq::sockopt::rcvtimeo, 50);
  }
  void connect(const std::string& address) { socket_.connect(address); }
  /// Listens for so long, or until `enough`.
  template <typename Enough>
  void listen(std::chrono::steady_clock::duration patience, Enough enough) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline && !enough()) {
      zmq::message_t message;
      if (!socket_.recv(message)) continue;
      std::string reason;
      auto frame = telemetry::decode(message.to_string_view(), &reason);
      ASSERT_TRUE(frame.has_value()) << reason;
      const int rank = frame->rank;
      if (last_sequence_.contains(rank)) {
        EXPECT_EQ(frame->sequence, last_sequence_[rank] + 1);
      }
      last_sequence_[rank] = frame->sequence;
      if (auto* header = std::get_if<telemetry::FrameHeader>(&frame->content)) {
        if (!states_.contains(rank)) headers_first_.insert(rank);
        headers_[rank] = *header;
      } else {
        states_[rank].push_back(std::get<telemetry::FrameState>(frame->content));
      }
    }
  }
  std::map<int, telemetry::FrameHeader> headers_;
  std::map<int, std::vector<telemetry::FrameState>> states_;
  std::set<int> headers_first_;

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
  std::map<int, std::uint64_t> last_sequence_;
};

Options telemetry_options() {
  Options options = threads_options();
  options.telemetry_port = 0;  // tests run side by side
  return options;
}

/// Trains `workers` of them while `watch` runs, which gets rank 0's telemetry address.
void train_while(int workers, const Options& options,
                 const std::function<void(const std::string&, Worker&)>& watch) {
  std::atomic<bool> done{false};
  const auto errors = run_workers(workers, options, [&](const Options& mine) {
    std::vector<float> x(5000, static_cast<float>(mine.rank));
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    std::thread watcher;
    if (mine.rank == 0) {
      watcher = std::thread([&] {
        watch(worker.telemetry_address(), worker);
        done = true;
      });
    }
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!done && std::chrono::steady_clock::now() < deadline) {
      worker.step([&] { x[0] += 0.001F * static_cast<float>(mine.rank); }, 16);
      worker.report_loss(0.5);
      std::this_thread::sleep_for(2ms);
    }
    if (watcher.joinable()) watcher.join();
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(Telemetry, OneWorkersHeaderNamesAllAndAllPublish) {
  train_while(4, telemetry_options(), [](const std::string& address, Worker& worker) {
    worker.set_metrics_address("127.0.0.1:1234");
    Listener listener;
    listener.connect(address);
    listener.listen(30s, [&] {
      return listener.headers_.contains(0) && !listener.headers_[0].roster[0].metrics_address.empty();
    });
    ASSERT_TRUE(listener.headers_.contains(0));
    EXPECT_TRUE(listener.headers_first_.contains(0)) << "a subscriber knows first whom it hears";
    const auto header = listener.headers_[0];
    EXPECT_EQ(header.world_size, 4);
    EXPECT_EQ(header.graph, "ring");
    EXPECT_EQ(header.algorithm, "a2cid2");
    EXPECT_EQ(header.transport, "inproc");
    EXPECT_EQ(header.parameters, 5000u);
    EXPECT_EQ(header.parameter_bytes, 20000u);
    EXPECT_NEAR(header.chi1, 1.0, 1e-6);
    EXPECT_NEAR(header.chi2, 0.75, 1e-6);
    EXPECT_NEAR(header.alpha_tilde, 0.57735, 1e-4);
    EXPECT_EQ(header.edges.size(), 4u);
    EXPECT_EQ(header.version, DUET_VERSION_STRING);
    ASSERT_EQ(header.roster.size(), 4u);
    EXPECT_EQ(header.roster[0].metrics_address, "127.0.0.1:1234");
    std::set<std::string> addresses;
    for (const auto& member : header.roster)
      addresses.insert(member.telemetry_address);
    EXPECT_EQ(addresses.size(), 4u);
    EXPECT_FALSE(addresses.contains(""));

    for (const auto& member : header.roster) {
      if (member.rank != 0) listener.connect(member.telemetry_address);
    }
    // The metrics address has reached everyone, and everyone has met.
    const auto complete = [&] {
      for (int rank = 0; rank < 4; ++rank) {
        if (!listener.headers_.contains(rank) || listener.states_[rank].empty()) return false;
        if (listener.headers_[rank].roster[0].metrics_address.empty()) return false;
        if (listener.states_[rank].back().meetings < 5) return false;
        const auto& states = listener.states_[rank];
        if (std::none_of(states.begin(), states.end(),
                         [](const auto& state) { return !state.ticks.empty(); }))
          return false;
      }
      return true;
    };
    listener.listen(40s, complete);
    EXPECT_TRUE(complete());
    for (int rank = 0; rank < 4; ++rank) {
      std::set<std::uint64_t> ticks;
      std::uint64_t steps = 0, meetings_told = 0, ages_told = 0;
      for (const auto& state : listener.states_[rank]) {
        EXPECT_GE(state.steps, steps) << "counts never fall";
        steps = state.steps;
        EXPECT_EQ(state.samples, state.steps * 16);
        EXPECT_LE(state.step_duration.count(), state.steps);
        EXPECT_EQ(state.pairing_duration.count(), state.meetings);
        EXPECT_TRUE(state.parameters_finite);
        EXPECT_EQ(state.components, 1);
        EXPECT_NEAR(state.target_rate, 1.0, 1e-9);
        EXPECT_TRUE(state.heartbeat_ages.empty() || state.heartbeat_ages.size() == 4u);
        ages_told += state.heartbeat_ages.empty() ? 0 : 1;
        ASSERT_EQ(state.edges.size(), 2u);
        EXPECT_EQ(state.edges[0].meetings + state.edges[1].meetings, state.meetings);
        for (const auto& tick : state.ticks) {
          EXPECT_TRUE(ticks.insert(tick.tick).second) << "a tick is told once";
          EXPECT_EQ(tick.members, 4);
          EXPECT_GT(tick.consensus_distance, 0.0);
          EXPECT_NEAR(tick.loss, 0.5, 1e-9);
        }
        for (const auto& event : state.events)
          meetings_told += event.kind == telemetry::FrameEventKind::kMeeting ? 1 : 0;
      }
      EXPECT_GT(meetings_told, 0u);
      EXPECT_GT(ages_told, 0u) << "with each header";
      EXPECT_FALSE(ticks.empty());
      const auto& last = listener.states_[rank].back();
      for (const auto& edge : last.edges) {
        EXPECT_TRUE(edge.in_graph);
        EXPECT_NEAR(edge.target_rate, 0.5, 1e-9);
        if (edge.meetings == 0) continue;
        EXPECT_GT(edge.last_meeting, 1e9);
        EXPECT_GT(edge.sent_bytes, edge.meetings * 20000);
        EXPECT_GT(edge.received_bytes, edge.meetings * 20000);
      }
      EXPECT_GT(last.target_rate_hertz, 0.0);
    }
    // The same to the trainer's process.
    const auto statistics = worker.statistics();
    EXPECT_GT(statistics.target_rate_hertz, 0.0);
    EXPECT_EQ(statistics.pairing_duration.count(), statistics.meetings);
    EXPECT_GT(statistics.step_duration.count(), 0u);
    EXPECT_NEAR(statistics.chi1, 1.0, 1e-6);
    EXPECT_EQ(worker.members().size(), 4u);
    EXPECT_EQ(worker.members()[0].metrics_address, "127.0.0.1:1234");
  });
}

TEST(Telemetry, SaysWhenAWorkerLeaves) {
  std::atomic<bool> watching{false}, left{false};
  const auto errors = run_workers(3, telemetry_options(), [&](const Options& mine) {
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    if (mine.rank == 2) {
      while (!watching)
        std::this_thread::sleep_for(1ms);
      return;  // without finish(): it says goodbye
    }
    if (mine.rank == 0) {
      Listener listener;
      listener.connect(worker.telemetry_address());
      listener.listen(20s, [&] { return listener.headers_.contains(0); });
      watching = true;
      const auto told = [&] {
        for (const auto& state : listener.states_[0]) {
          for (const auto& event : state.events)
            if (event.kind == telemetry::FrameEventKind::kMemberLeft && event.rank == 2) return true;
        }
        return false;
      };
      const auto repaired = [&] {
        return listener.headers_[0].edges.size() == 1 &&
               listener.headers_[0].roster[2].phase == duet::membership::Phase::kLeft;
      };
      listener.listen(20s, [&] { return told() && repaired(); });
      EXPECT_TRUE(told());
      EXPECT_TRUE(repaired());
      EXPECT_FALSE(worker.members()[2].live);
      left = true;
    }
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!left && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(1ms);
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(Telemetry, ParametersThatAreNotFiniteAreSeenAndRefused) {
  std::atomic<bool> done{false};
  const auto errors = run_workers(2, telemetry_options(), [&](const Options& mine) {
    std::vector<float> x(100, 1.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    if (mine.rank == 0) worker.edit([&] { x[7] = std::nanf(""); });
    const auto deadline = std::chrono::steady_clock::now() + 40s;
    while (!done && std::chrono::steady_clock::now() < deadline) {
      worker.step([] {});
      std::this_thread::sleep_for(1ms);
      if (mine.rank == 1 && worker.statistics().rejected_by_reason[2] > 0) done = true;
    }
    if (mine.rank == 1) {
      EXPECT_GT(worker.statistics().rejected_by_reason[2], 0u);
      EXPECT_TRUE(std::isfinite(x[7]));
    }
    if (mine.rank == 0) {
      const auto later = std::chrono::steady_clock::now() + 10s;
      while (worker.statistics().parameters_finite && std::chrono::steady_clock::now() < later)
        std::this_thread::sleep_for(10ms);
      EXPECT_FALSE(worker.statistics().parameters_finite);
      worker.edit([&] { x[7] = 1.0F; });
    }
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(Telemetry, CanBeTurnedOff) {
  Options options = telemetry_options();
  options.telemetry_port = -1;
  const auto errors = run_workers(2, options, [&](const Options& mine) {
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    EXPECT_EQ(worker.telemetry_address(), "");
    for (int i = 0; i < 10; ++i)
      worker.step([] {});
    worker.finish();
    EXPECT_EQ(worker.members().size(), 2u) << "the process itself still knows";
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(Telemetry, TwoWorkersOnOnePortBothTrain) {
  Options options = threads_options();
  // Some port that is free now: the second one to ask for it will find it taken.
  {
    zmq::context_t context;
    zmq::socket_t probe(context, zmq::socket_type::pub);
    probe.bind("tcp://127.0.0.1:*");
    const std::string endpoint = probe.get(zmq::sockopt::last_endpoint);
    options.telemetry_port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
  }
  std::vector<std::string> addresses(2);
  const auto errors = run_workers(2, options, [&](Options mine) {
    mine.local_rank = 0;
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    addresses[static_cast<std::size_t>(mine.rank)] = worker.telemetry_address();
    for (int i = 0; i < 10; ++i)
      worker.step([] {});
    EXPECT_EQ(worker.finish().members.size(), 2u);
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_NE(addresses[0], "");
  EXPECT_NE(addresses[1], "");
  EXPECT_NE(addresses[0], addresses[1]);
}

}  // namespace
