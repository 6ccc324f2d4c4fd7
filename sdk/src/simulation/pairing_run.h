#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "duet/topology.h"
#include "pairing/pairing.h"
#include "simulation/conditions.h"
#include "simulation/event_queue.h"

namespace duet::simulation {

/// What the workers are like, and the network between them. Times in (virtual) seconds.
struct PairingRunOptions {
  std::vector<std::vector<Neighbour>> neighbours;  ///< by worker
  pairing::Config pairing;  ///< of every worker; self, neighbours and seed are filled in
  /// Duration of one optimizer step of a worker. Empty: nobody trains (unlimited_budget alone makes meetings
  /// then).
  std::function<double(int worker, Random&)> step_time;
  /// Duration of one meeting, first block to last.
  std::function<double(int a, int b, Random&)> meeting_time;

  double latency = 1e-4;  ///< of a message: uniform in [latency, latency + latency_spread]
  double latency_spread = 0.0;
  bool reorder = false;      ///< false: messages of one worker to another arrive in order
  double loss = 0.0;         ///< share of messages
  double duplication = 0.0;  ///< share of messages that arrive twice
  /// Whether nothing that `from` sends reaches `to` at present: a network that is cut. Empty: all of it does.
  std::function<bool(int from, int to)> cut;
  double exchange_timeout = 5.0;  ///< of one who began a meeting whose other side did not, or is dead
  double gone_after = 2.0;        ///< from a crash until the neighbours are told
  std::uint64_t seed = 0;
};

/// The pairing machines of N workers in virtual time: carries their messages, holds their meetings, lets
/// workers crash and come back. What a meeting does to parameters is the business of whoever listens. Throws
/// std::logic_error when a machine begins a meeting while it is in one.
class PairingRun {
 public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_step(double /*now*/, int /*worker*/) {}
    /// Both sides are there.
    virtual void on_meeting_began(double /*now*/, int /*offerer*/, int /*accepter*/) {}
    virtual void on_meeting_ended(double /*now*/, int /*offerer*/, int /*accepter*/) {}
    /// After every event of a worker's machine: for tests of what must always hold.
    virtual void on_event(double /*now*/, int /*worker*/) {}
  };

  explicit PairingRun(PairingRunOptions options, Listener* listener = nullptr);
  PairingRun(const PairingRun&) = delete;
  PairingRun& operator=(const PairingRun&) = delete;

  bool run_next(double until) { return queue_.run_next(until); }
  void run_until(double time) { queue_.run_until(time); }
  EventQueue& queue() { return queue_; }
  double now() const { return queue_.now(); }

  // ---- faults
  // -------------------------------------------------------------------------------------------------------
  void set_faults(double loss, double duplication);
  void crash(int worker);    ///< its meeting breaks; the neighbours hear of it gone_after later
  void restart(int worker);  ///< a new incarnation, known to all at once
  void finish(int worker);
  void stop(int worker);
  /// The graph was made anew.
  void set_neighbours(int worker, std::vector<Neighbour> neighbours);

  // ---- what happened
  // ------------------------------------------------------------------------------------------------
  int workers() const { return static_cast<int>(workers_.size()); }
  bool alive(int worker) const { return workers_[index(worker)].machine != nullptr; }
  const pairing::Pairing& machine(int worker) const { return *workers_[index(worker)].machine; }
  /// The meeting that the worker is in, as it believes (0: none), and whether the other side is in it, too.
  std::uint64_t meeting(int worker) const { return workers_[index(worker)].side.meeting; }
  bool both_in_meeting(int worker) const { return workers_[index(worker)].side.both; }
  const std::vector<std::uint64_t>& meetings() const { return meetings_; }  ///< complete ones, by worker
  /// Complete ones, by edge (lower worker first).
  const std::map<std::pair<int, int>, std::uint64_t>& edge_meetings() const { return edge_meetings_; }
  std::uint64_t total_meetings() const { return total_meetings_; }
  std::uint64_t broken_sides() const { return broken_sides_; }  ///< ends of meetings that did not complete
  std::uint64_t messages(pairing::MessageKind kind) const {
    return messages_[static_cast<std::size_t>(kind)];
  }
  std::uint64_t total_messages() const;

 private:
  struct Side {
    int peer = -1;
    std::uint64_t meeting = 0;
    std::uint64_t token = 0;
    bool offerer = false;
    bool both = false;
  };
  struct WorkerState {
    std::unique_ptr<pairing::Pairing> machine;
    std::uint64_t life = 0;
    Side side;
    double timer = 0.0;  ///< when the machine wants to be woken
    double alarm = 0.0;  ///< when it is looked at next: at `timer` or before
    std::uint64_t alarm_number = 0;
    std::map<int, double> last_arrival;  ///< of messages from this worker, by receiver
  };

  static std::size_t index(int worker) { return static_cast<std::size_t>(worker); }
  WorkerState& state(int worker) { return workers_[index(worker)]; }
  void start(int worker);
  void plan_step(int worker);
  /// Carries out what the machine decided, and plans its next timer.
  void carry_out(int worker);
  void transmit(int from, const pairing::Send& send);
  void begin(int worker, const pairing::Begin& begin);
  void end(int offerer, int accepter);
  void break_side(int worker);
  void plan_timer(int worker);

  PairingRunOptions options_;
  Listener nobody_;
  Listener* listener_;
  Random random_;
  EventQueue queue_;
  std::vector<WorkerState> workers_;
  std::vector<std::uint64_t> meetings_;
  std::map<std::pair<int, int>, std::uint64_t> edge_meetings_;
  std::array<std::uint64_t, 8> messages_{};
  std::uint64_t total_meetings_ = 0;
  std::uint64_t broken_sides_ = 0;
};

}  // namespace duet::simulation
