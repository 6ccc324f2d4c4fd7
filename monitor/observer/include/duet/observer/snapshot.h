#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duet/export.h"
#include "duet/observer/diagnosis.h"
#include "duet/observer/events.h"

/// What a run looks like at a moment (Snapshot), and what came to it since the last look (Update). Plain
/// values: copy them where another thread needs them.
///
/// Times are Unix seconds, durations seconds, sizes bytes, rates per second unless the name says otherwise.
/// std::nullopt is "not known" (nothing was reported, a tick is missing); a value that is not finite is what
/// a worker measured.
namespace duet::observer {

/// 128 bits that tell a worker's lives apart: a rank that was restarted is a new member.
struct Incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const Incarnation&) const = default;
};

/// "1f0c2a6b": its first 8 digits, enough for people.
DUET_API std::string short_text(const Incarnation& incarnation);

enum class WorkerState : std::uint8_t {
  kExpected,    ///< the roster names it; nothing was heard of it yet
  kRunning,     ///< makes steps
  kStraggling,  ///< makes steps, much slower than the others
  kStalled,     ///< is heard, makes no steps
  kFinished,    ///< has said that it is done
  kGone,        ///< not heard any more
};
/// "running"; for tables.
DUET_API const char* to_string(WorkerState state);

/// Cumulative counts in bounds (upper, seconds), the last of them +infinity; as Prometheus has them, but not
/// accumulated.
struct Histogram {
  std::vector<double> bounds;
  std::vector<std::uint64_t> counts;
  double sum = 0.0;
};

/// What one worker counted about one of its peers since it started.
struct PeerCounters {
  int rank = -1;
  std::uint64_t pairings = 0;
  std::uint64_t pairing_failures = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::optional<double> last_pairing;   ///< when it ended
  std::optional<double> last_distance;  ///< ‖x_i − x_j‖ then
  bool in_graph = true;                 ///< an edge of the graph as this worker knows it
  double target_rate = 0.0;             ///< λ_ij, meetings per step; 0 where it is none
};

/// A count with the reason that bounds it, e.g. rejected blocks by "checksum".
struct ReasonCount {
  std::string reason;
  std::uint64_t count = 0;
};

/// What a worker counted since this incarnation of it started. They only grow; from 0 after a restart.
struct Counters {
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::uint64_t pairings = 0;  ///< each meeting is counted at both of its ends
  std::uint64_t pairing_failures = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t shed_pairings = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t broken_ticks = 0;
  std::uint64_t telemetry_dropped = 0;       ///< events that did not fit into the worker's queue
  std::vector<ReasonCount> failed_pairings;  ///< by reason, all that there are
  std::vector<ReasonCount> rejected_blocks;  ///< likewise
  Histogram step_duration;
  Histogram pairing_wait;  ///< with budget and no partner, until a partner was found
  Histogram pairing_duration;
  double partner_wait_seconds = 0.0;  ///< had budget, but no partner; nobody waits then
  double gate_wait_seconds = 0.0;     ///< the trainer waited for its own parameters
  double peer_wait_seconds = 0.0;     ///< the trainer waited for others (synchronous algorithms)
};

struct Worker {
  int rank = -1;
  std::string host;
  std::int64_t pid = 0;
  int local_rank = 0;
  std::string address;          ///< of its telemetry, "host:port"; empty: not known
  std::string metrics_address;  ///< of its Prometheus metrics; empty: none, or not known
  Incarnation incarnation;
  int lives = 0;  ///< incarnations seen of this rank

  WorkerState state = WorkerState::kExpected;
  double state_since = 0.0;
  /// Since when it has made steps without a stall; nullopt: it makes none.
  std::optional<double> running_since;

  Counters counters;
  std::vector<PeerCounters> peers;  ///< by rank

  // Over the window of ObserverOptions::rate_window; nullopt until two frames are there.
  std::optional<double> steps_per_second;
  /// Over the last minute: what a longer look is held against.
  std::optional<double> recent_steps_per_second;
  std::optional<double> pairings_per_second;
  std::optional<double> target_pairings_per_second;  ///< λ_i × steps_per_second
  std::optional<double> pairings_per_step;
  double target_pairings_per_step = 0.0;  ///< λ_i: Σ over its edges of the graph as it is now
  std::optional<double> waiting_share;    ///< of the trainer's time, at the gate or for peers; 0 … 1
  /// Of the time, with budget and no partner: the worker trains meanwhile; 0 … 1.
  std::optional<double> partner_wait_share;
  std::optional<double> sent_bytes_per_second;
  std::optional<double> received_bytes_per_second;

  // As this worker knows them; the run's are in RunHeader.
  std::uint64_t epoch = 0;  ///< 1 + members lost; 0: it has not told its counts yet
  int components = 1;       ///< parts into which the graph among those present falls

  std::optional<double> tick_time;           ///< when the newest tick was that it reported
  std::optional<double> distance_to_mean;    ///< ‖x_i − x̄‖ then
  std::optional<double> consensus_distance;  ///< the run's then, as this worker was told
  std::optional<double> loss;                ///< the newest that the trainer reported
  bool finite = true;                        ///< false: its parameters were not at its last tick
  std::optional<double> not_finite_since;

  std::optional<double> first_heard;
  std::optional<double> last_heard;    ///< when the last frame arrived
  std::optional<double> last_step;     ///< when its steps last grew
  std::optional<double> clock_offset;  ///< its wall clock − ours, the smallest delay seen: good to that
  std::uint64_t frames = 0;            ///< received of this incarnation
  std::uint64_t frames_lost = 0;       ///< gaps in its sequence
  /// Seconds since last_heard; nullopt: never heard.
  std::optional<double> heartbeat_age(double now) const {
    return last_heard ? std::optional<double>(now - *last_heard) : std::nullopt;
  }
  bool live() const {
    return state == WorkerState::kRunning || state == WorkerState::kStraggling ||
           state == WorkerState::kStalled || state == WorkerState::kFinished;
  }
};

/// Two workers that are neighbours in the graph, or were, or met all the same.
struct Edge {
  int a = -1;  ///< the lower rank
  int b = -1;
  bool in_graph = true;        ///< of the graph as it is now
  double target_rate = 0.0;    ///< λ_ab: meetings per step; 0 where the edge is not in the graph
  std::uint64_t meetings = 0;  ///< seen by the end that counted more, all incarnations
  std::uint64_t failures = 0;  ///< as either end counted them
  std::optional<double> meetings_per_second;
  std::optional<double> target_per_second;  ///< target_rate × the slower end's steps per second
  std::optional<double> last_meeting;       ///< when
  std::optional<double> last_distance;      ///< ‖x_a − x_b‖ then
  double since = 0.0;  ///< when it entered the graph (or was first met on), as far as it was observed
  /// Meetings of the last minute, and the seconds that were in fact watched: for what needs a longer look.
  double recent_meetings = 0.0;
  double recent_seconds = 0.0;
  std::optional<double> meeting_age(double now) const {
    return last_meeting ? std::optional<double>(now - *last_meeting) : std::nullopt;
  }
};

/// What holds for the run as a whole. From the newest frame of the newest epoch.
struct RunHeader {
  std::string run_id;
  std::string algorithm;  ///< "a2cid2", "adpsgd", …
  std::string graph;      ///< its description, "ring"
  std::string transport;
  std::string version;  ///< of the SDK that the workers run
  int world_size = 0;   ///< as the run was started
  int members = 0;      ///< now
  int components = 1;   ///< parts into which the graph of the live workers falls
  std::uint64_t epoch = 0;
  double rate = 0.0;  ///< target: meetings of each worker per step
  double chi1 = 0.0;
  double chi2 = 0.0;
  double eta = 0.0;
  double alpha = 0.5;
  double alpha_tilde = 0.5;
  std::string clock;             ///< "adaptive", "wall", "meetings"
  std::string pairing;           ///< who meets whom: "holdoff", …
  std::string wire_type;         ///< "float32", …
  std::uint64_t parameters = 0;  ///< elements of one worker's model
  std::uint64_t parameter_bytes = 0;
  std::uint64_t edges_left_out = 0;      ///< of the graph: a header holds 65,536 at most
  std::optional<double> frame_interval;  ///< seconds between two frames of a worker
  std::optional<double> tick_interval;   ///< seconds between two ticks of the consensus distance
  std::optional<double> started;         ///< when
};

// ---- samples: what the plots draw
// --------------------------------------------------------------------------

/// One frame of one worker.
struct WorkerSample {
  double time = 0.0;
  int rank = -1;
  std::uint64_t steps = 0;
  std::optional<double> steps_per_second;
  std::optional<double> pairings_per_second;
  std::optional<double> target_pairings_per_second;
  std::optional<double> waiting_share;
  std::optional<double> partner_wait_share;
  std::optional<double> sent_bytes_per_second;
  std::optional<double> received_bytes_per_second;
  std::optional<double> loss;  ///< only in the frame that brought a new one
};

struct RankDistance {
  int rank = -1;
  double distance = 0.0;
};

/// The run at one tick: √(mean over its members of ‖x_i − x̄‖²). A tick at which the workers' tree broke has
/// no sample: it is missing, and counted in Snapshot::missed_ticks.
struct ConsensusSample {
  std::uint64_t tick = 0;
  double time = 0.0;  ///< of the tick, on the workers' clocks
  double mean = 0.0;  ///< the consensus distance, as the workers computed it
  double max = 0.0;   ///< the largest ‖x_i − x̄‖ among those that reported
  int max_rank = -1;
  int members = 0;  ///< that the tree summed up
  /// Of those that reported by the time the tick was closed, by rank. May be fewer than members: a worker
  /// that is not heard here still counts in the mean.
  std::vector<RankDistance> workers = {};
};

/// One meeting. Known at both of its ends, told once. Workers queue them boundedly: under load some are
/// counted (Edge::meetings) and not told.
struct MeetingSample {
  double time = 0.0;  ///< when it ended
  int a = -1;         ///< the lower rank
  int b = -1;
  bool ok = true;  ///< false: it broke
  std::optional<double> duration = {};
  std::optional<double> distance = {};
};

// ---- the whole
// ---------------------------------------------------------------------------------------------

struct DUET_API Snapshot {
  /// Now, on the run's clock: the wall clock when live, the recording's when replayed.
  double time = 0.0;
  /// Grows when everything began anew (a replay was wound back, another run took over): what was drawn of the
  /// former generation is void.
  std::uint64_t generation = 0;
  RunHeader run;
  std::vector<Worker> workers;  ///< workers[k].rank == k; never shrinks within a generation
  std::vector<Edge> edges;      ///< new ones at the end; never shrinks within a generation

  std::optional<ConsensusSample> consensus;  ///< of the newest complete tick
  std::uint64_t ticks = 0;                   ///< complete ones
  std::uint64_t missed_ticks = 0;
  /// Meetings per second of the whole run: each counted once.
  std::optional<double> meetings_per_second;
  std::optional<double> steps_per_second;         ///< of all workers together
  std::optional<double> median_steps_per_second;  ///< of those that make steps
  std::optional<double> split_since;              ///< nullopt: the live workers hang together
  std::optional<double> mean_loss;                ///< of those that are live and reported one

  std::vector<Finding> findings;  ///< diagnose() of this very snapshot
  std::vector<Event> events;      ///< the newest ObserverOptions::most_events, oldest first

  const Worker* worker(int rank) const;
  const Edge* edge(int a, int b) const;  ///< linear in edges: for look-ups by hand
};

/// What came since the last Observer::poll(). Bounded: see ObserverOptions.
struct Update {
  bool changed = false;        ///< false: nothing at all did, but the time
  bool restarted = false;      ///< Snapshot::generation grew: throw away, then take what is here
  bool shape_changed = false;  ///< workers or edges were added, or an edge entered or left the graph
  bool header_changed = false;
  bool findings_changed = false;
  std::vector<int> workers;                  ///< ranks whose Worker changed, ascending
  std::vector<std::size_t> edges;            ///< indices of Edges that changed, ascending
  std::vector<WorkerSample> worker_samples;  ///< by time of arrival
  std::vector<ConsensusSample> consensus;    ///< by tick
  std::vector<MeetingSample> meetings;
  std::vector<Event> events;
  bool more = false;  ///< the source has more that is due already: poll again soon
};

}  // namespace duet::observer
