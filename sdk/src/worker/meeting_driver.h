#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/messages.h"
#include "duet/algorithm.h"
#include "duet/options.h"
#include "duet/status.h"
#include "duet/topology.h"
#include "dynamics/clock.h"
#include "exchange/meeting.h"
#include "exchange/replica.h"
#include "pairing/pairing.h"
#include "worker/data_links.h"
#include "worker/meeting_counts.h"
#include "worker/postbox.h"
#include "worker/shared.h"

namespace duet::worker {

/// Carries out what pairing decides: sends its messages, opens data connections, runs the meetings'
/// exchanges, counts. Communication thread only.
class MeetingDriver {
 public:
  MeetingDriver(exchange::Replica& replica, const Options& options, const Topology& topology,
                std::unique_ptr<MeetingAlgorithm> algorithm, Postbox& postbox, transport::Context& context,
                const membership::Roster& roster, telemetry::EventQueue& events, Shared& shared, double now);
  ~MeetingDriver();

  /// Meetings may begin.
  void open(double now);
  void on_message(double now, int from, const control::Pair& pair);
  void on_gone(double now, int peer);
  /// The graph among those present has changed: from the end of a meeting under way on, this worker's
  /// neighbours (none: it is alone) and the constants are these. Nothing happens after stop().
  void set_graph(double now, std::vector<Neighbour> neighbours, const Constants& constants);
  /// Also from within the observer.
  void set_observer(std::function<void(const MeetingEvent&)> observer);
  void finish(double now);
  void stop(double now);

  /// True: there is more to do at once.
  bool advance(double now);
  double next_deadline(double now) const;
  /// The trainer made steps that were not counted yet.
  bool behind() const { return shared_.steps.load() != seen_steps_; }
  bool in_meeting() const { return meeting_ != nullptr; }
  /// Ends the meeting in progress; if the gate is busy, in the next advance() that finds it free.
  void break_off(double now, const std::string& why);
  std::uint64_t meetings() const { return counts_.meetings(); }
  void copy_to(telemetry::FrameState& state, double now) const;
  void publish(double now);  ///< copies the counts to where the trainer can read them

 private:
  struct Graph {
    std::vector<Neighbour> neighbours;
    Constants constants;
  };

  void act(double now);
  void begin(double now, const pairing::Begin& begin);
  void end(double now);
  void forget(double now, int peer);
  void use_graph(double now, const Graph& graph);
  void observe(const MeetingEvent& event);

  exchange::Replica& replica_;
  const Options& options_;
  Postbox& postbox_;
  Shared& shared_;
  std::unique_ptr<MeetingAlgorithm> algorithm_;
  std::unique_ptr<dynamics::MeetingClock> clock_;
  pairing::Pairing pairing_;
  DataLinks links_;
  std::shared_ptr<exchange::Staging> staging_;
  /// What both sides agreed upon for the meeting that may come next with a peer.
  struct Agreed {
    std::uint64_t meeting = 0;
    std::uint64_t session = 0;
    std::string ticket;     ///< of a new session, where the transport asks for one
    double momentum = 0.0;  ///< α̃ − α, the offerer's
  };
  std::map<int, Agreed> agreed_;
  /// Offers heard and not yet answered: the session that the offerer holds, the meeting's token, its α̃ − α.
  struct Offered {
    std::uint64_t session = 0;
    std::uint64_t token = 0;
    double momentum = 0.0;
  };
  std::map<int, Offered> offered_;

  std::set<int> neighbours_;
  std::set<int> gone_;
  std::optional<Graph> next_graph_;  ///< what set_graph() was told while a meeting was under way
  bool opened_ = false;
  bool stopped_ = false;

  std::unique_ptr<exchange::Meeting> meeting_;
  int partner_ = -1;
  std::uint64_t meeting_id_ = 0;
  double began_ = 0.0;
  double start_ = 0.0;

  std::uint64_t seen_steps_ = 0;
  MeetingCounts counts_;
  double waited_ = 0.0;  ///< with budget and no partner, when the last one was found
  double last_publish_ = 0.0;
  std::function<void(const MeetingEvent&)> observer_;
  bool observer_replaced_ = false;  ///< while it ran
};

}  // namespace duet::worker
