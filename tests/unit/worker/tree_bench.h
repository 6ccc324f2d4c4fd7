#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/channel.h"
#include "exchange/replica.h"
#include "transport/transport.h"
#include "worker/finisher.h"
#include "worker/liveness.h"
#include "worker/postbox.h"
#include "worker/tree_runner.h"

/// Workers without their threads: the real runners and finishers over real in-process connections, turned one
/// after the other, in a time that the test owns. The test carries the heartbeats itself, so that it decides
/// who hears of what and when; silence makes a member gone after gone_after, as ever.
namespace duet::worker::test {

inline Options bench_options(int members) {
  Options options;
  options.world_size = members;
  options.graph = "ring";
  options.finish_timeout = 60.0;
  options.average_timeout = 10.0;
  options.gone_after = 5.0;
  options.heartbeat_interval = 1.0;
  return options;
}

/// The in-process transport, with `faults`, that notes down every session. One at a time.
std::shared_ptr<const transport::Transport> recording_transport(const std::string& faults);
/// Sessions that one endpoint has used more than once since the last recording_transport(): there must be
/// none.
int repeated_sessions();
/// Heartbeats that workers send by themselves go here, and nowhere from here.
control::Channel& idle_channel();

struct Member {
  Member(const Options& all, int rank, std::size_t elements, bool momentum,
         const std::shared_ptr<const transport::Transport>& transport)
      : options(all), x(elements) {
    options.rank = rank;
    for (std::size_t i = 0; i < elements; ++i)
      x[i] = static_cast<float>(rank + 1) + 0.125F * static_cast<float>(i % 7);
    // Several blocks, so that there are moments in the middle of a pass.
    replica.emplace(std::vector<Buffer>{{x.data(), x.size(), DType::kFloat32, "", ""}}, momentum,
                    std::size_t{8} * sizeof(float));
    context.emplace(transport, transport::Settings{});
  }

  /// Once everyone's addresses are known.
  void begin(const membership::Roster& all, const Topology& topology, double now) {
    roster = all;
    postbox.emplace(idle_channel(), roster, options.rank);
    liveness.emplace(roster, topology, options, *postbox, shared, now);
    runner.emplace(*replica, *context, roster, topology, options, *liveness, *postbox);
    finisher.emplace(options, *liveness, nullptr, *runner);
  }
  void die() {
    alive = false;
    finisher.reset();
    runner.reset();
    context.reset();
  }

  Options options;
  std::vector<float> x;
  Shared shared;
  membership::Roster roster;
  std::optional<exchange::Replica> replica;
  std::optional<transport::Context> context;
  std::optional<Postbox> postbox;
  std::optional<Liveness> liveness;
  std::optional<TreeRunner> runner;
  std::optional<Finisher> finisher;
  bool alive = true;
  bool busy = false;  ///< beats, but its thread gets to nothing else
  std::future<FinishResult> result;
};

class Bench {
 public:
  explicit Bench(const Options& options, std::size_t elements = 50, bool momentum = false,
                 const std::string& faults = {})
      : topology_(Topology::make(options.graph, options.world_size, 1.0)) {
    const auto transport = recording_transport(faults);
    membership::Roster roster;
    roster.run_id = "bench";
    for (int rank = 0; rank < options.world_size; ++rank) {
      members_.push_back(std::make_unique<Member>(options, rank, elements, momentum, transport));
      membership::Entry entry;
      entry.rank = rank;
      entry.world_size = options.world_size;
      // Not random: sessions are made of them, and faults are drawn from sessions. So a test's weather is its
      // seed's.
      entry.incarnation = {1, static_cast<std::uint64_t>(rank) + 1};
      // Nobody is there: heartbeats go by hand.
      entry.control_address = "tcp://127.0.0.1:1";
      entry.transports = {{"inproc", members_.back()->context->address()}};
      roster.entries.push_back(entry);
    }
    roster.transport = "inproc";
    for (const auto& member : members_)
      member->begin(roster, topology_, now);
    hears = [](int, int) { return true; };
  }

  ~Bench() { EXPECT_EQ(repeated_sessions(), 0); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Member& operator[](int rank) { return *members_[static_cast<std::size_t>(rank)]; }
  int size() const { return static_cast<int>(members_.size()); }
  const membership::Members& view(int rank) { return (*this)[rank].liveness->members(); }

  void finish(int rank) {
    std::promise<FinishResult> promise;
    (*this)[rank].result = promise.get_future();
    (*this)[rank].finisher->start(now, std::move(promise));
  }
  bool concluded(int rank) {
    return (*this)[rank].result.valid() &&
           (*this)[rank].result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  /// Every member's heartbeat to every other one that hears it (everyone in the tests' small rings is a
  /// neighbour).
  void beat() {
    for (int from = 0; from < size(); ++from) {
      if ((*this)[from].alive) beat_from(from);
    }
  }
  void beat_from_living(int from) {
    if ((*this)[from].alive) beat_from(from);
  }
  void beat_from(int from) {
    const control::Heartbeat heartbeat{view(from).states()};
    for (int to = 0; to < size(); ++to) {
      Member& member = (*this)[to];
      if (to == from || !member.alive || !hears(from, to)) continue;
      if (view(to).of(from).phase == membership::Phase::kGone) continue;
      member.liveness->heard(now, from);
      member.liveness->on_heartbeat(now, from, heartbeat);
    }
  }

  /// One turn of one member: what its thread does between two sleeps.
  void turn(int rank) {
    Member& member = (*this)[rank];
    if (!member.alive) return;
    member.context->poll(0);
    member.liveness->advance(now);
    if (member.busy) return;
    if (on_turn) on_turn(rank);
    member.finisher->advance(now);
  }

  /// Turns everyone, with heartbeats, until `done` or `seconds` of the bench's time have passed. Returns
  /// whether it was done.
  bool run(
      double seconds, const std::function<bool()>& done = [] { return false; }, double tick = 0.05) {
    for (const double end = now + seconds; now < end; now += tick) {
      beat();
      // Enough for a small pass without anybody's waiting: what stops now waits for time to pass.
      for (int round = 0; round < 60; ++round) {
        for (int rank = 0; rank < size(); ++rank)
          turn(rank);
        if (round % 20 == 19) beat();
      }
      if (done()) return true;
    }
    return done();
  }

  double now = 1000.0;
  std::function<bool(int from, int to)> hears;
  /// What else a member's thread does in a turn.
  std::function<void(int rank)> on_turn;

 private:
  Topology topology_;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace duet::worker::test
