#include "worker/meeting_driver.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <random>
#include <utility>
#include <variant>

#include "exchange/staging.h"
#include "support/exception_text.h"
#include "support/log.h"
#include "support/wall_clock.h"

namespace duet::worker {
namespace {

/// How often the counts are copied to where the trainer can read them.
constexpr double kPublishInterval = 0.05;
constexpr std::uint64_t kStepsPerTurn = 64;
/// How soon to look again when the trainer is inside the gate.
constexpr double kGateRetry = 0.0005;
/// And at a device's work, of which a block has several pieces in a row, each of some ten microseconds.
constexpr double kDeviceRetry = 20e-6;

/// Tokens and meeting ids come from here: they must differ from run to run, whatever the options' seed.
std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

pairing::Config pairing_config(const Options& options, const Topology& topology) {
  pairing::Config config;
  config.self = options.rank;
  config.neighbours = topology.neighbours(options.rank);
  config.policy = options.pairing;
  config.deterministic_budget = options.deterministic_budget;
  config.unlimited_budget = options.unlimited_budget;
  config.seed = random_seed();
  return config;
}

}  // namespace

MeetingDriver::MeetingDriver(exchange::Replica& replica, const Options& options, const Topology& topology,
                             std::unique_ptr<MeetingAlgorithm> algorithm, Postbox& postbox,
                             transport::Context& context, const membership::Roster& roster,
                             telemetry::EventQueue& events, Shared& shared, double now)
    : replica_(replica),
      options_(options),
      postbox_(postbox),
      shared_(shared),
      algorithm_(std::move(algorithm)),
      clock_(dynamics::make_clock(options.clock, topology.rate_of(options.rank))),
      pairing_(pairing_config(options, topology)),
      links_(context, roster),
      staging_(exchange::make_staging(replica, options.wire, options.blocks_in_flight, context.capabilities(),
                                      context.only_device())),
      start_(now),
      counts_(events) {
  staging_->register_with(context);
  counts_.set_neighbours(topology.neighbours(options.rank));
  for (const auto& neighbour : topology.neighbours(options.rank))
    neighbours_.insert(neighbour.worker);
}

MeetingDriver::~MeetingDriver() = default;

void MeetingDriver::open(double now) {
  opened_ = true;
  for (const int peer : neighbours_) {
    if (!gone_.contains(peer)) pairing_.on_peer_up(now, peer);
  }
  act(now);
}

void MeetingDriver::set_graph(double now, std::vector<Neighbour> neighbours, const Constants& constants) {
  if (stopped_) return;
  next_graph_ = Graph{std::move(neighbours), constants};
  if (meeting_ == nullptr) use_graph(now, *std::exchange(next_graph_, std::nullopt));
}

void MeetingDriver::use_graph(double now, const Graph& graph) {
  pairing_.set_neighbours(now, graph.neighbours);
  algorithm_ = make_meeting_algorithm(options_.algorithm, graph.constants);
  counts_.set_neighbours(graph.neighbours);
  std::set<int> present;
  double rate = 0.0;
  for (const Neighbour& neighbour : graph.neighbours) {
    const int peer = neighbour.worker;
    present.insert(peer);
    rate += neighbour.rate;
    if (opened_ && !neighbours_.contains(peer) && !gone_.contains(peer)) pairing_.on_peer_up(now, peer);
  }
  for (const int peer : neighbours_) {
    if (!present.contains(peer)) links_.drop(peer);
  }
  if (rate > 0.0) clock_->set_rate(rate);
  neighbours_ = std::move(present);
  act(now);
}

void MeetingDriver::on_message(double now, int from, const control::Pair& pair) {
  if (!neighbours_.contains(from)) return;
  if (pair.message.kind == pairing::MessageKind::kOffer)
    offered_[from] = {pair.session, pair.message.token, pair.momentum};
  if (pair.message.kind == pairing::MessageKind::kAccept)
    agreed_[from] = {pair.message.meeting, pair.session, pair.ticket, agreed_[from].momentum};
  if (pair.message.kind == pairing::MessageKind::kWithdrawn && meeting_ != nullptr && from == partner_ &&
      pair.message.meeting == meeting_id_) {
    // Its start came too late over there: nobody would ever answer.
    break_off(now, "the peer had let go of it before it began");
  }
  pairing_.on_message(now, from, pair.message);
  act(now);
}

void MeetingDriver::on_gone(double now, int peer) {
  gone_.insert(peer);
  if (!neighbours_.contains(peer)) return;
  if (meeting_ != nullptr && partner_ == peer) {
    break_off(now, "the peer is gone");
    return;
  }
  forget(now, peer);
}

void MeetingDriver::break_off(double now, const std::string& why) {
  // First what has arrived already: it may be all of it, and what the peer has sent it has applied, too.
  if (!meeting_->advance(now)) {
    meeting_->abort(why);
    // It may have to wait for the gate to mix what it did not reach; advance() does the rest then.
    if (!meeting_->advance(now)) return;
  }
  end(now);
}

void MeetingDriver::forget(double now, int peer) {
  links_.drop(peer);
  pairing_.on_peer_gone(now, peer);
  act(now);
}

void MeetingDriver::finish(double now) {
  pairing_.finish(now);
  act(now);
}

void MeetingDriver::stop(double now) {
  stopped_ = true;
  pairing_.stop(now);
  act(now);
}

bool MeetingDriver::advance(double now) {
  if (const auto steps = shared_.steps.load(); steps > seen_steps_) {
    clock_->on_steps(now, steps - seen_steps_);
    // Each may bring budget, which is capped: of a trainer that makes thousands of steps a turn, a few will
    // do.
    const auto counted = std::min<std::uint64_t>(steps - seen_steps_, kStepsPerTurn);
    for (std::uint64_t i = 0; i < counted; ++i)
      pairing_.on_step(now);
    seen_steps_ = steps;
  }
  if (meeting_ != nullptr && meeting_->advance(now)) end(now);
  if (now >= pairing_.next_timer()) pairing_.on_timer(now);
  act(now);
  if (now >= last_publish_ + kPublishInterval) publish(now);
  return false;
}

double MeetingDriver::next_deadline(double now) const {
  double deadline = std::min(pairing_.next_timer(), last_publish_ + std::max(kPublishInterval, 0.2));
  if (meeting_ != nullptr) {
    deadline = std::min(deadline, now + (meeting_->device_busy() ? kDeviceRetry
                                         : meeting_->gate_busy() ? kGateRetry
                                                                 : 0.1));
  }
  return deadline;
}

void MeetingDriver::act(double now) {
  for (const auto& action : pairing_.take_actions()) {
    if (const auto* start = std::get_if<pairing::Begin>(&action)) {
      begin(now, *start);
      continue;
    }
    const auto& send = std::get<pairing::Send>(action);
    control::Pair pair{send.message, 0, {}, 0.0};
    if (send.message.kind == pairing::MessageKind::kOffer) {
      pair.session = links_.held(send.peer);
      pair.momentum = algorithm_->coefficients(0.0).alpha_tilde_minus_alpha;
      // The accept will name the session; until then none is agreed.
      agreed_[send.peer] = {0, 0, {}, pair.momentum};
    } else if (send.message.kind == pairing::MessageKind::kAccept) {
      const Offered offer = offered_[send.peer];
      pair.session = links_.choose(send.peer, offer.session, offer.token);
      pair.ticket = links_.ticket(send.peer, pair.session);
      agreed_[send.peer] = {send.message.meeting, pair.session, pair.ticket, offer.momentum};
    }
    postbox_.send(send.peer, pair);
  }
}

void MeetingDriver::begin(double now, const pairing::Begin& begin) {
  const Agreed& agreed = agreed_[begin.peer];
  const std::uint64_t session =
      agreed.meeting == begin.meeting && agreed.session != 0 ? agreed.session : begin.token;
  const auto deadline = transport::now_ns() + static_cast<std::uint64_t>(options_.connect_timeout * 1e9);
  if (links_.held(begin.peer) != session) counts_.on_connected(begin.peer);
  transport::Connection& connection = links_.use(begin.peer, session, begin.offerer, deadline, agreed.ticket);
  counts_.on_found(std::max(0.0, pairing_.waited(now) - waited_));
  waited_ = pairing_.waited(now);

  exchange::MeetingPlan plan;
  plan.meeting = begin.meeting;
  plan.token = begin.token;
  plan.coefficients = algorithm_->coefficients(clock_->on_meeting(now));
  if (algorithm_->has_momentum()) plan.coefficients.alpha_tilde_minus_alpha = agreed.momentum;
  plan.wire = options_.wire;
  plan.timeout = options_.meeting_timeout;
  partner_ = begin.peer;
  meeting_id_ = begin.meeting;
  began_ = now;
  meeting_ = std::make_unique<exchange::Meeting>(replica_, connection, staging_, plan, now);
  pairing_.on_meeting_began(now);
  if (meeting_->advance(now)) end(now);
}

void MeetingDriver::end(double now) {
  const exchange::MeetingResult& result = meeting_->result();
  if (result.complete) {
    counts_.on_complete(partner_, result, support::wall_seconds(), now - began_);
  } else {
    counts_.on_failed(partner_, result, support::wall_seconds(), now - began_);
    support::warning("rank {}: a meeting with rank {} broke off: {}", options_.rank, partner_, result.error);
  }
  if (!result.connection_usable) links_.drop(partner_);
  const int peer = partner_;
  const bool complete = result.complete;
  const double distance = std::sqrt(result.squared_distance);
  meeting_.reset();
  partner_ = -1;
  if (complete && observer_) {
    observe({now - start_, peer, counts_.meetings(), distance, now - began_});
  }
  pairing_.on_meeting_ended(now, complete);
  act(now);
  if (gone_.contains(peer)) forget(now, peer);
  // That may have begun the next one.
  if (next_graph_ && meeting_ == nullptr) use_graph(now, *std::exchange(next_graph_, std::nullopt));
}

void MeetingDriver::observe(const MeetingEvent& event) {
  // The embedder's code: whatever it throws must not end communication, and it may replace itself.
  const auto running = std::exchange(observer_, nullptr);
  observer_replaced_ = false;
  try {
    running(event);
    if (!observer_replaced_) observer_ = running;
  } catch (...) {
    support::error("rank {}: the observer of meetings failed and is dropped: {}", options_.rank,
                   support::exception_text());
  }
}

void MeetingDriver::set_observer(std::function<void(const MeetingEvent&)> observer) {
  observer_ = std::move(observer);
  observer_replaced_ = true;
}

void MeetingDriver::publish(double now) {
  last_publish_ = now;
  const std::lock_guard lock(shared_.mutex);
  auto& statistics = shared_.statistics;
  counts_.copy_to(statistics);
  statistics.shed_meetings = pairing_.shed();
  statistics.wait_seconds = pairing_.waited(now);
}

void MeetingDriver::copy_to(telemetry::FrameState& state, double now) const {
  counts_.copy_to(state);
  state.shed_meetings = pairing_.shed();
  state.wait_seconds = pairing_.waited(now);
}

}  // namespace duet::worker
