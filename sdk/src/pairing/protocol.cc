#include "pairing/protocol.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "duet/error.h"

// Which announcements are needed
//
// A meeting costs offer, accept, start. Everything else is there to make the offers go to the right
// neighbour, so what a neighbour believes of me is corrected only when it would act on it:
//
//   - I never announce that I am not available any more. A neighbour that takes me to be available and wants
//   me offers,
//     and my decline tells it; one that does not want me need not know. (Saying so at every meeting would
//     cost a message per neighbour and meeting, and as many again to take it back.)
//   - What a neighbour takes me for is known here (`Peer::told`): it hears "available" from me when I send
//   that, when I
//     offer, and when we meet (both of us will be free at the same moment); it hears "not available" from a
//     decline. Whoever was declined waits for me to speak: when I am free I offer to it, or tell it. So no
//     wish is lost: of two free neighbours that may meet, one knows of the other.
//   - I do not announce to a neighbour to whom I can offer, nor to one that I would decline (hold-off): it
//   hears when
//     the hold-off has passed.
//
// On a busy ring that makes five messages per meeting: an offer that comes too early and its decline, which
// says who waits for whom, then offer, accept, start. Should a message be lost, beliefs are wrong until the
// announcement that is repeated every announce_interval.

namespace duet::pairing {

namespace {

constexpr double kFirstPenalty = 0.05;
constexpr double kLongestPenalty = 5.0;
constexpr double kFirstAnswerTime = 1e-3;
constexpr int kBackoffDoublings = 4;

void require(bool good, int self, const std::string& problem) {
  if (!good) throw ConfigurationError("pairing of worker " + std::to_string(self) + ": " + problem);
}

void require_neighbours(int self, const std::vector<Neighbour>& neighbours) {
  for (auto it = neighbours.begin(); it != neighbours.end(); ++it) {
    const std::string name = "neighbour " + std::to_string(it->worker);
    require(it->worker != self, self, name + " is the worker itself; remove it");
    require(std::isfinite(it->rate) && it->rate > 0.0, self,
            name + " has rate " + std::to_string(it->rate) + "; it must be > 0");
    require(std::none_of(neighbours.begin(), it, [&](const Neighbour& n) { return n.worker == it->worker; }),
            self, name + " is listed twice; list it once, with its whole rate");
  }
}

double total_rate(const std::vector<Neighbour>& neighbours) {
  double total = 0.0;
  for (const Neighbour& neighbour : neighbours)
    total += neighbour.rate;
  return total;
}

Config validated(Config config) {
  require_neighbours(config.self, config.neighbours);
  const auto positive = [&](double value, const char* name) {
    require(value > 0.0, config.self,
            std::string(name) + " is " + std::to_string(value) + "; it must be > 0 seconds");
  };
  positive(config.offer_timeout, "offer_timeout");
  positive(config.start_timeout, "start_timeout");
  positive(config.announce_interval, "announce_interval");
  return config;
}

Random seeded(const Config& config) {
  std::seed_seq sequence{static_cast<std::uint32_t>(config.seed),
                         static_cast<std::uint32_t>(config.seed >> 32),
                         static_cast<std::uint32_t>(config.self)};
  return Random(sequence);
}

Peer make_peer(const Neighbour& neighbour) {
  Peer peer;
  peer.worker = neighbour.worker;
  peer.rate = neighbour.rate;
  return peer;
}

void heard_available(double now, Peer& peer) {
  if (!peer.available) peer.available_since = now;
  peer.available = true;
  peer.last_available = now;
}

// Of two offers of one worker, whether `first` was made after `second`.
bool newer(std::uint64_t first, std::uint64_t second) {
  return static_cast<std::int64_t>(first - second) > 0;
}

}  // namespace

Pairing::Impl::Impl(Config config)
    : config_(validated(std::move(config))),
      policy_(make_policy(config_.policy, config_.simulation, config_.unlimited_budget)),
      rate_(total_rate(config_.neighbours)),
      budget_(rate_, config_.deterministic_budget, config_.unlimited_budget || !policy_->uses_budget()),
      random_(seeded(config_)) {
  for (const Neighbour& neighbour : config_.neighbours)
    peers_.push_back(make_peer(neighbour));
  // Unique within the run: the rank, and a count that starts anywhere (a restarted worker does not repeat
  // it).
  next_meeting_ = (static_cast<std::uint64_t>(config_.self) + 1) << 44 | (random_() >> 21);
}

void Pairing::Impl::on_step(double now) {
  pace_.steps.event(now);
  budget_.on_step(random_);
  policy_->on_step(situation(now), random_);
  proceed(now);
}

void Pairing::Impl::on_message(double now, int worker, const Message& message) {
  Peer* peer = find(worker);
  if (peer == nullptr || !peer->up) return;
  switch (message.kind) {
    case MessageKind::kAvailable:
      heard_available(now, *peer);
      break;
    case MessageKind::kDone:
      peer->done = true;
      heard_available(now, *peer);
      break;
    case MessageKind::kUnavailable:
      peer->available = false;
      break;
    case MessageKind::kOffer:
      on_offer(now, *peer, message);
      break;
    case MessageKind::kAccept:
      on_accept(now, *peer, message.meeting);
      break;
    case MessageKind::kDecline:
      on_decline(now, *peer, message);
      break;
    case MessageKind::kStart:
      if (is(State::kAccepted, *peer, message.meeting)) {
        begin(now, *peer, false);
      } else if (!is(State::kMeeting, *peer, message.meeting)) {
        // I have let go of it: the offerer, alone in the meeting, need not wait for its exchange to time out.
        send(*peer, {.kind = MessageKind::kWithdrawn, .meeting = message.meeting});
      }
      break;
    case MessageKind::kWithdrawn:
      if (is(State::kAccepted, *peer, message.meeting)) state_ = State::kIdle;
      break;
  }
  proceed(now);
}

void Pairing::Impl::on_peer_up(double now, int worker) {
  if (Peer* peer = find(worker); peer != nullptr) {
    if (!peer->up || peer->confirmed) {
      forget(now, *peer);
      peer->up = true;
    }
    peer->confirmed = true;
  }
  proceed(now);
}

void Pairing::Impl::on_peer_gone(double now, int worker) {
  if (Peer* peer = find(worker); peer != nullptr) {
    forget(now, *peer);
    peer->up = false;
  }
  proceed(now);
}

void Pairing::Impl::on_meeting_began(double now) {
  if (state_ == State::kMeeting && !began_) {
    began_ = true;
    began_at_ = now;
    budget_.spend();
    pace_.meetings.event(now);
  }
  proceed(now);
}

void Pairing::Impl::on_meeting_ended(double now, bool complete) {
  if (state_ == State::kMeeting) end_meeting(now, complete);
  proceed(now);
}

void Pairing::Impl::set_neighbours(double now, const std::vector<Neighbour>& neighbours) {
  require_neighbours(config_.self, neighbours);
  std::vector<Peer> next;
  for (const Neighbour& neighbour : neighbours) {
    const Peer* known = find(neighbour.worker);
    next.push_back(known != nullptr ? *known : make_peer(neighbour));
    next.back().rate = neighbour.rate;
  }
  const auto stays = [&](int worker) {
    return std::any_of(next.begin(), next.end(), [&](const Peer& peer) { return peer.worker == worker; });
  };
  if (state_ != State::kIdle && !stays(partner_)) forget(now, *find(partner_));
  peers_ = std::move(next);
  rate_ = total_rate(neighbours);
  budget_.set_rate(rate_);
  proceed(now);
}

void Pairing::Impl::finish(double now) {
  budget_.close();
  if (!done_) {
    done_ = true;
    for (Peer& peer : peers_)
      peer.told = false;  // whatever they heard, they did not hear that I never offer
  }
  proceed(now);
}

void Pairing::Impl::stop(double now) {
  budget_.close();
  done_ = true;
  if (!stopped_) {
    stopped_ = true;
    for (const Peer& peer : peers_)
      if (peer.up) send(peer, {.kind = MessageKind::kUnavailable});
  }
  // An offer or accept of mine is let go: its answer finds nobody.
  if (state_ != State::kMeeting) state_ = State::kIdle;
  proceed(now);
}

std::vector<Action> Pairing::Impl::take_actions() {
  return std::exchange(actions_, {});
}

double Pairing::Impl::waited(double now) const {
  return waited_ + (waiting_ ? std::max(0.0, now - waiting_since_) : 0.0);
}

Peer* Pairing::Impl::find(int worker) {
  const auto it =
      std::find_if(peers_.begin(), peers_.end(), [&](const Peer& p) { return p.worker == worker; });
  return it == peers_.end() ? nullptr : &*it;
}

Situation Pairing::Impl::situation(double now) const {
  return {.now = now,
          .self = config_.self,
          .rate = rate_,
          .unlimited = config_.unlimited_budget,
          .done = done_,
          .last_partner = last_partner_,
          .last_end = last_end_,
          .pace = pace_,
          .peers = peers_};
}

bool Pairing::Impl::is(State state, const Peer& peer, std::uint64_t meeting) const {
  return state_ == state && partner_ == peer.worker && meeting_ == meeting;
}

double Pairing::Impl::eligible_from(double now, const Peer& peer, Side side) const {
  return std::max(peer.not_before, policy_->eligible_from(situation(now), peer, side));
}

void Pairing::Impl::send(const Peer& peer, const Message& message) {
  actions_.emplace_back(Send{peer.worker, message});
}

void Pairing::Impl::on_offer(double now, Peer& peer, const Message& message) {
  const std::uint64_t offer = message.meeting;
  // A duplicate: it has its answer. Only the last one is remembered: a worker that came back may count from
  // below. An older one is taken up, and its accept answered "withdrawn".
  if (peer.last_offer == offer) return;
  peer.last_offer = offer;
  heard_available(now, peer);
  if (state_ == State::kOffering && partner_ == peer.worker) {
    if (config_.self < peer.worker) return;  // crossed: mine stands, and the peer answers it
    state_ = State::kIdle;
  } else if (state_ == State::kAccepted && partner_ == peer.worker) {
    if (!newer(offer, meeting_)) return;  // delayed; it has offered again since
    state_ = State::kIdle;                // it gave up the one that I accepted
  }
  const DeclineReason reason = reason_to_decline(now, peer);
  if (reason != DeclineReason::kNone) {
    send(peer, {.kind = MessageKind::kDecline, .meeting = offer, .reason = reason});
    peer.told = false;
    return;
  }
  state_ = State::kAccepted;
  partner_ = peer.worker;
  meeting_ = offer;
  token_ = message.token;
  deadline_ = now + config_.start_timeout;
  send(peer, {.kind = MessageKind::kAccept, .meeting = offer});
}

DeclineReason Pairing::Impl::reason_to_decline(double now, const Peer& peer) const {
  if (stopped_) return DeclineReason::kStopped;
  if (state_ != State::kIdle) return DeclineReason::kBusy;
  if (!done_ && !budget_.has_one()) return DeclineReason::kNoBudget;
  if (eligible_from(now, peer, Side::kAccept) > now) return DeclineReason::kJustMet;
  return DeclineReason::kNone;
}

void Pairing::Impl::on_accept(double now, Peer& peer, std::uint64_t meeting) {
  if (is(State::kOffering, peer, meeting)) {
    pace_.answer_time.add(now - offered_at_);
    send(peer, {.kind = MessageKind::kStart, .meeting = meeting});
    begin(now, peer, true);
  } else if (is(State::kMeeting, peer, meeting)) {
    send(peer, {.kind = MessageKind::kStart, .meeting = meeting});  // a duplicate
  } else {
    send(peer, {.kind = MessageKind::kWithdrawn, .meeting = meeting});
  }
}

void Pairing::Impl::on_decline(double now, Peer& peer, const Message& message) {
  if (!is(State::kOffering, peer, message.meeting)) return;
  pace_.answer_time.add(now - offered_at_);
  state_ = State::kIdle;
  peer.available = false;
  peer.told = true;  // it knows that I wait for it, and speaks when it is free
  if (message.reason == DeclineReason::kBusy) {
    peer.last_available = now;  // it takes part in meetings
    back_off(now);
  } else if (message.reason == DeclineReason::kJustMet) {
    peer.last_available = now;
  }
}

// Before the next offer, not before accepting one. Only a "busy" can be mutual (three that offer in a circle
// decline each other, and would for ever); any other answer strikes a name off the list, so the next is
// offered at once.
void Pairing::Impl::back_off(double now) {
  const double unit = pace_.answer_time.known() ? pace_.answer_time.value() : kFirstAnswerTime;
  const double longest = unit * static_cast<double>(1 << std::min(unsuccessful_++, kBackoffDoublings));
  backoff_until_ = now + std::uniform_real_distribution<double>(0.0, longest)(random_);
}

void Pairing::Impl::begin(double now, Peer& peer, bool offerer) {
  state_ = State::kMeeting;
  began_ = false;
  unsuccessful_ = 0;
  backoff_until_ = kLongAgo;
  // We shall be free again at the same moment, so both take it as said; whatever comes in between corrects
  // it.
  heard_available(now, peer);
  peer.available_since = now;
  peer.told = true;
  policy_->on_meeting(peer);
  actions_.emplace_back(Begin{peer.worker, meeting_, token_, offerer});
}

void Pairing::Impl::end_meeting(double now, bool complete) {
  state_ = State::kIdle;
  last_partner_ = partner_;
  last_end_ = now;
  if (complete && began_) pace_.duration.add(now - began_at_);
  Peer& peer = *find(partner_);
  peer.last_meeting = now;
  if (complete) {
    peer.failures = 0;
    return;
  }
  const double penalty = std::min(kLongestPenalty, std::ldexp(kFirstPenalty, std::min(peer.failures++, 16)));
  peer.not_before = now + penalty * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  peer.available = false;
  peer.told = false;
}

void Pairing::Impl::forget(double now, Peer& peer) {
  if (state_ != State::kIdle && partner_ == peer.worker) {
    if (state_ == State::kMeeting) end_meeting(now, false);
    state_ = State::kIdle;
  }
  Peer fresh = make_peer({peer.worker, peer.rate});
  fresh.last_meeting = peer.last_meeting;
  fresh.up = peer.up;
  fresh.confirmed = peer.confirmed;
  peer = fresh;
}

void Pairing::Impl::proceed(double now) {
  if (state_ == State::kOffering && now >= deadline_) {
    Peer& peer = *find(partner_);
    state_ = State::kIdle;
    peer.available = false;
    peer.told = false;
    back_off(now);
  } else if (state_ == State::kAccepted && now >= deadline_) {
    state_ = State::kIdle;
  }
  account(now);
  search(now);
  set_timer(now);
}

void Pairing::Impl::account(double now) {
  const bool waiting = !stopped_ && state_ != State::kMeeting && budget_.has_one();
  if (waiting_ && !waiting) waited_ += std::max(0.0, now - waiting_since_);
  if (!waiting_ && waiting) waiting_since_ = now;
  waiting_ = waiting;
}

void Pairing::Impl::search(double now) {
  if (!open()) return;
  policy_->on_search(situation(now), random_);
  // Also by those who are never free for long: two pairs that no longer know of each other would stay pairs.
  const bool repeat = now >= next_announcement_;
  if (repeat) announce(now, true);
  if (!done_ && now >= backoff_until_) {
    if (const Peer* peer = choose(now); peer != nullptr) {
      offer(now, *peer);
      return;
    }
  }
  if (!repeat) announce(now, false);
}

void Pairing::Impl::announce(double now, bool repeat) {
  for (Peer& peer : peers_) {
    if (!peer.up || (peer.told && !repeat) || eligible_from(now, peer, Side::kAccept) > now) continue;
    // One that I shall offer to after the back-off hears of me then.
    if (!repeat && !done_ && peer.available && eligible_from(now, peer, Side::kOffer) <= now) continue;
    send(peer, {.kind = done_ ? MessageKind::kDone : MessageKind::kAvailable});
    peer.told = true;
  }
  if (repeat) next_announcement_ = now + config_.announce_interval;
}

const Peer* Pairing::Impl::choose(double now) {
  std::vector<const Peer*> candidates;
  for (const Peer& peer : peers_)
    if (peer.up && peer.available && eligible_from(now, peer, Side::kOffer) <= now)
      candidates.push_back(&peer);
  if (candidates.empty()) return nullptr;
  return policy_->preferred(situation(now), candidates, random_);
}

void Pairing::Impl::offer(double now, const Peer& peer) {
  state_ = State::kOffering;
  partner_ = peer.worker;
  meeting_ = next_meeting_++;
  token_ = random_();
  offered_at_ = now;
  deadline_ = now + config_.offer_timeout;
  send(peer, {.kind = MessageKind::kOffer, .meeting = meeting_, .token = token_});
}

void Pairing::Impl::set_timer(double now) {
  timer_ = kNever;
  const auto at = [&](double time) {
    if (time > now) timer_ = std::min(timer_, time);
  };
  if (state_ == State::kOffering || state_ == State::kAccepted) at(deadline_);
  if (!open()) return;
  at(next_announcement_);
  if (!done_) at(backoff_until_);
  for (const Peer& peer : peers_) {
    if (!peer.up) continue;
    if (!done_) at(eligible_from(now, peer, Side::kOffer));
    at(eligible_from(now, peer, Side::kAccept));
  }
}

}  // namespace duet::pairing
