#include "simulation/pairing_run.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <variant>

namespace duet::simulation {

PairingRun::PairingRun(PairingRunOptions options, Listener* listener)
    : options_(std::move(options)),
      listener_(listener != nullptr ? listener : &nobody_),
      random_(options_.seed),
      workers_(options_.neighbours.size()),
      meetings_(options_.neighbours.size()) {
  for (int a = 0; a < workers(); ++a)
    for (const Neighbour& neighbour : options_.neighbours[index(a)])
      if (a < neighbour.worker) edge_meetings_[{a, neighbour.worker}] = 0;
  for (int worker = 0; worker < workers(); ++worker)
    start(worker);
}

void PairingRun::start(int worker) {
  pairing::Config config = options_.pairing;
  config.self = worker;
  config.neighbours = options_.neighbours[index(worker)];
  config.seed = random_();
  WorkerState& it = state(worker);
  it.machine = std::make_unique<pairing::Pairing>(std::move(config));
  ++it.life;
  it.side = {};
  it.timer = it.alarm = std::numeric_limits<double>::infinity();
  queue_.at(now(), [this, worker, life = it.life] {
    if (state(worker).life != life) return;
    for (const Neighbour& neighbour : options_.neighbours[index(worker)]) {
      if (alive(neighbour.worker)) {
        state(worker).machine->on_peer_up(now(), neighbour.worker);
      } else {
        state(worker).machine->on_peer_gone(now(), neighbour.worker);
      }
    }
    carry_out(worker);
  });
  if (options_.step_time) plan_step(worker);
}

void PairingRun::plan_step(int worker) {
  queue_.after(options_.step_time(worker, random_), [this, worker, life = state(worker).life] {
    if (!alive(worker) || state(worker).life != life) return;
    listener_->on_step(now(), worker);
    state(worker).machine->on_step(now());
    carry_out(worker);
    plan_step(worker);
  });
}

void PairingRun::carry_out(int worker) {
  // A Begin may complete a meeting at once, which makes further actions: of this worker they are taken here.
  for (;;) {
    const std::vector<pairing::Action> actions = state(worker).machine->take_actions();
    if (actions.empty()) break;
    for (const pairing::Action& action : actions) {
      if (const auto* send = std::get_if<pairing::Send>(&action)) {
        transmit(worker, *send);
      } else {
        begin(worker, std::get<pairing::Begin>(action));
      }
    }
  }
  // A machine that let go of its meeting by itself (its partner is gone) needs no telling.
  Side& side = state(worker).side;
  if (side.meeting != 0 && !state(worker).machine->in_meeting()) {
    side = {};
    ++broken_sides_;
  }
  plan_timer(worker);
  listener_->on_event(now(), worker);
}

void PairingRun::transmit(int from, const pairing::Send& send) {
  ++messages_[static_cast<std::size_t>(send.message.kind)];
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  if (uniform(random_) < options_.loss) return;
  if (options_.cut && options_.cut(from, send.peer)) return;
  const int copies = uniform(random_) < options_.duplication ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    double arrival = now() + options_.latency + options_.latency_spread * uniform(random_);
    if (!options_.reorder) {
      double& last = state(from).last_arrival[send.peer];
      arrival = last = std::max(last, arrival);
    }
    queue_.at(arrival, [this, from, to = send.peer, message = send.message, from_life = state(from).life,
                        to_life = state(send.peer).life] {
      // Incarnations travel in the envelope: what a former life sent, or was sent, is dropped.
      if (!alive(to) || state(to).life != to_life || state(from).life != from_life) return;
      state(to).machine->on_message(now(), from, message);
      carry_out(to);
    });
  }
}

void PairingRun::begin(int worker, const pairing::Begin& begin) {
  Side& mine = state(worker).side;
  if (mine.meeting != 0)
    throw std::logic_error("worker " + std::to_string(worker) + " began a second meeting");
  mine = {begin.peer, begin.meeting, begin.token, begin.offerer, false};
  Side& other = state(begin.peer).side;
  if (!alive(begin.peer) || other.peer != worker || other.meeting != begin.meeting ||
      other.token != begin.token || other.offerer == begin.offerer) {
    queue_.after(options_.exchange_timeout, [this, worker, meeting = begin.meeting] {
      const Side& side = state(worker).side;
      if (side.meeting == meeting && !side.both) break_side(worker);
    });
    return;
  }
  mine.both = other.both = true;
  const int offerer = begin.offerer ? worker : begin.peer;
  const int accepter = begin.offerer ? begin.peer : worker;
  listener_->on_meeting_began(now(), offerer, accepter);
  for (const int side : {offerer, accepter})
    state(side).machine->on_meeting_began(now());
  queue_.after(options_.meeting_time(offerer, accepter, random_), [this, offerer, accepter,
                                                                   meeting = begin.meeting] {
    const auto in_it = [&](int side) { return state(side).side.both && state(side).side.meeting == meeting; };
    if (in_it(offerer) && in_it(accepter)) {
      end(offerer, accepter);
    } else {  // one of them died; the other sees its operations fail
      if (in_it(offerer)) break_side(offerer);
      if (in_it(accepter)) break_side(accepter);
    }
  });
}

void PairingRun::end(int offerer, int accepter) {
  ++total_meetings_;
  ++meetings_[index(offerer)];
  ++meetings_[index(accepter)];
  ++edge_meetings_[std::minmax(offerer, accepter)];
  state(offerer).side = state(accepter).side = {};
  listener_->on_meeting_ended(now(), offerer, accepter);
  // Who is free first is chance, as it is in a network.
  std::array<int, 2> order{offerer, accepter};
  if (random_() & 1) std::swap(order[0], order[1]);
  for (const int worker : order) {
    state(worker).machine->on_meeting_ended(now(), true);
    carry_out(worker);
  }
}

void PairingRun::break_side(int worker) {
  ++broken_sides_;
  state(worker).side = {};
  state(worker).machine->on_meeting_ended(now(), false);
  carry_out(worker);
}

void PairingRun::plan_timer(int worker) {
  WorkerState& it = state(worker);
  it.timer = it.machine->next_timer();
  // Most deadlines are put off before they come, so one that is later plans nothing: what is planned looks
  // again when it comes too early. A worker has one alarm, not one for every event of its life within a
  // deadline.
  if (!(it.timer < it.alarm)) return;
  it.alarm = it.timer;
  queue_.at(it.timer, [this, worker, number = ++it.alarm_number, life = it.life] {
    WorkerState& due = state(worker);
    if (!alive(worker) || due.life != life || due.alarm_number != number) return;
    due.alarm = std::numeric_limits<double>::infinity();
    if (due.timer > now()) {
      plan_timer(worker);
      return;
    }
    due.machine->on_timer(now());
    carry_out(worker);
  });
}

void PairingRun::set_faults(double loss, double duplication) {
  options_.loss = loss;
  options_.duplication = duplication;
}

void PairingRun::crash(int worker) {
  if (!alive(worker)) return;
  WorkerState& it = state(worker);
  const int partner = it.side.both ? it.side.peer : -1;
  if (it.side.meeting != 0) ++broken_sides_;
  it.machine.reset();
  it.side = {};
  // A partner whose meeting had begun is held up until its operations time out.
  if (partner >= 0) {
    queue_.after(options_.exchange_timeout, [this, partner, meeting = state(partner).side.meeting] {
      if (state(partner).side.meeting == meeting && meeting != 0) break_side(partner);
    });
  }
  queue_.after(options_.gone_after, [this, worker, life = it.life] {
    if (state(worker).life != life || alive(worker)) return;
    for (const Neighbour& neighbour : options_.neighbours[index(worker)]) {
      if (!alive(neighbour.worker)) continue;
      state(neighbour.worker).machine->on_peer_gone(now(), worker);
      carry_out(neighbour.worker);
    }
  });
}

void PairingRun::restart(int worker) {
  start(worker);
  for (const Neighbour& neighbour : options_.neighbours[index(worker)]) {
    if (!alive(neighbour.worker)) continue;
    state(neighbour.worker).machine->on_peer_up(now(), worker);
    carry_out(neighbour.worker);
  }
}

void PairingRun::finish(int worker) {
  state(worker).machine->finish(now());
  carry_out(worker);
}

void PairingRun::stop(int worker) {
  state(worker).machine->stop(now());
  carry_out(worker);
}

void PairingRun::set_neighbours(int worker, std::vector<Neighbour> neighbours) {
  options_.neighbours[index(worker)] = std::move(neighbours);
  if (!alive(worker)) return;
  state(worker).machine->set_neighbours(now(), options_.neighbours[index(worker)]);
  carry_out(worker);
}

std::uint64_t PairingRun::total_messages() const {
  return std::accumulate(messages_.begin(), messages_.end(), std::uint64_t{0});
}

}  // namespace duet::simulation
