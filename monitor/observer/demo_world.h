#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "demo_troubles.h"
#include "duet/algorithm.h"
#include "duet/observer/snapshot.h"
#include "duet/observer/source.h"
#include "duet/topology.h"
#include "dynamics/clock.h"
#include "simulation/pairing_run.h"

namespace duet::observer {

/// Synthetic workers in virtual time: they train a small quadratic with noise, meet by the SDK's own
/// protocol, mix by its own dynamics, and get into trouble as planned. Deterministic. Not thread-safe.
class DemoWorld final : private simulation::PairingRun::Listener {
 public:
  struct Peer {
    int rank = -1;
    double target_rate = 0.0;
    std::uint64_t pairings = 0;
    std::uint64_t failures = 0;
    std::optional<double> last_pairing;  ///< seconds from the start
    std::optional<double> last_distance;
  };
  struct Meeting {
    double time = 0.0;
    int peer = -1;
    bool ok = true;
    double duration = 0.0;
    double distance = 0.0;
  };
  struct TickValue {
    std::uint64_t tick = 0;
    double time = 0.0;
    int members = 0;
    double consensus = 0.0;
    double distance = 0.0;
  };
  /// One worker, as it would describe itself. Counts are of its present life.
  struct WorkerState {
    bool alive = true;
    Incarnation incarnation;
    double born = 0.0;
    double died = 0.0;
    std::uint64_t steps = 0;
    std::uint64_t pairings = 0;
    std::uint64_t failures = 0;
    std::uint64_t rejected = 0;
    double waiting = 0.0;  ///< seconds
    double loss = 0.0;     ///< of the last step
    bool finite = true;
    std::vector<Peer> peers;       ///< its neighbours, by rank
    std::deque<Meeting> meetings;  ///< since take_meetings(), the newest dropped beyond kMostMeetings
    std::uint64_t meetings_dropped = 0;
    std::optional<TickValue> tick;  ///< the newest that it took part in
    std::vector<double> x, z;
    double slowness = 1.0;  ///< its steps take this times as long
  };

  explicit DemoWorld(const DemoOptions& options);

  /// Seconds from the start.
  void advance(double until);
  double now() const { return run_->now(); }

  int workers() const { return topology_.workers(); }
  const WorkerState& worker(int rank) const { return workers_[index(rank)]; }
  std::vector<Meeting> take_meetings(int rank);
  const Topology& topology() const { return topology_; }
  const Constants& constants() const { return constants_; }
  std::uint64_t epoch() const { return epoch_; }
  int members() const;

  static constexpr double kTickInterval = 1.0;
  static constexpr std::uint64_t kParameters = 1'200'000;  ///< that it claims to train
  static constexpr std::size_t kMostMeetings = 256;

 private:
  static constexpr std::size_t kDimension = 24;  ///< that it trains in fact

  static std::size_t index(int rank) { return static_cast<std::size_t>(rank); }
  void on_step(double now, int worker) override;
  void on_meeting_began(double now, int offerer, int accepter) override;
  void on_meeting_ended(double now, int offerer, int accepter) override;

  simulation::PairingRunOptions run_options();
  void be_born(int rank);
  void begin(const DemoTrouble& trouble);
  void end(const DemoTrouble& trouble);
  void tick(double now);
  void note(int rank, const Meeting& meeting);
  bool cut(int from, int to) const;

  DemoOptions options_;
  Topology topology_;
  Constants constants_;
  std::unique_ptr<MeetingAlgorithm> algorithm_;
  DemoTroubles troubles_;
  std::mt19937_64 random_;
  std::vector<WorkerState> workers_;
  std::vector<std::unique_ptr<dynamics::MeetingClock>> clocks_;
  struct Begun {  ///< the meeting that a worker is in
    double since = 0.0;
    double distance = 0.0;
    bool refused = false;
  };
  std::vector<Begun> begun_;
  std::vector<double> stalled_until_;
  std::set<std::pair<int, int>> dead_edges_;
  std::vector<int> partitions_;  ///< the first ranks of those that are cut off
  std::uint64_t epoch_ = 1;
  double tree_broken_until_ = 0.0;
  double planned_until_ = 0.0;                   ///< troubles up to here are in the queue
  std::unique_ptr<simulation::PairingRun> run_;  // last: it calls back
};

}  // namespace duet::observer
