#include "worker/finisher.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>

#include "duet/error.h"
#include "support/log.h"

namespace duet::worker {
namespace {

using membership::Phase;

constexpr int kExitLost = 3;

/// A result is named by whom it counts: whoever has made one is among them, so no two of the same ranks can
/// come about.
std::uint64_t name_of_result(const std::vector<int>& averaged) {
  return XXH3_64bits(averaged.data(), averaged.size() * sizeof averaged[0]) | 1;  // never 0
}

}  // namespace

Finisher::Finisher(const Options& options, Liveness& liveness, MeetingDriver* meetings, TreeRunner& runner)
    : options_(options), liveness_(liveness), meetings_(meetings), runner_(runner) {}

void Finisher::start(double now, std::promise<FinishResult> promise) {
  promise_ = std::move(promise);
  stage_deadline_ = now + options_.finish_timeout;
  if (meetings_ == nullptr && runner_.steps_completed() > 0) {
    stage_ = Stage::kLastStep;
    liveness_.set_phase(Phase::kStopping);
    runner_.serve_last_step(options_.finish_timeout, now);
    return;
  }
  say_finished(now);
}

void Finisher::say_finished(double now) {
  stage_ = Stage::kOthersTrain;
  liveness_.set_phase(Phase::kFinished);
  if (meetings_ != nullptr) meetings_->finish(now);
}

void Finisher::advance(double now) {
  const auto& members = liveness_.members();
  // Nobody answers a worker that was given up: it has nobody to wait for.
  const bool given_up = members.declared_gone();
  switch (stage_) {
    case Stage::kIdle:
    case Stage::kDone:
      return;
    case Stage::kLastStep:
      if (runner_.advance(now) == TreeRunner::State::kRunning && !others_have_last_step() && !given_up &&
          now < stage_deadline_) {
        return;
      }
      runner_.cancel();
      say_finished(now);
      [[fallthrough]];
    case Stage::kOthersTrain:
      // Others that have begun to average had no more patience, and those who train must not keep us from
      // joining them.
      if (!members.all_live_at_least(Phase::kFinished) && !others_average() && !given_up &&
          now < stage_deadline_) {
        return;
      }
      if (meetings_ != nullptr) meetings_->stop(now);
      stage_ = Stage::kMeetingEnds;
      stage_deadline_ = now + options_.finish_timeout;
      [[fallthrough]];
    case Stage::kMeetingEnds:
      // A meeting ends by itself as long as its peer is quick, or silent. One that comes forward a block at a
      // time is broken off.
      if (meetings_ != nullptr && meetings_->in_meeting()) {
        if (now < stage_deadline_) return;
        meetings_->break_off(now, "training is over, and the peer is too slow");
        if (meetings_->in_meeting()) return;
      }
      for (int rank = 0; rank < options_.world_size; ++rank) {
        if (const auto result = members.of(rank).result; result != 0) earlier_.insert(result);
      }
      average_deadline_ = now + 2.0 * options_.average_timeout;
      average(now);
      return;
    case Stage::kAveraging:
      switch (runner_.advance(now)) {
        case TreeRunner::State::kComplete:
          on_complete(now);
          return;
        case TreeRunner::State::kFailed:
          if (has_result_ || alone_) {
            if (!has_result_) note_result({options_.rank}, 0.0);
            conclude();
            return;
          }
          support::warning("rank {}: no average with the others ({}): keeping my own position", options_.rank,
                           runner_.error());
          alone_ = true;
          average_deadline_ = now + options_.average_timeout;
          average(now);
          return;
        default:
          return;
      }
    case Stage::kOthersAverage:
      if (members.all_live_at_least(Phase::kAveraged) || given_up || now >= stage_deadline_) {
        conclude();
      } else if (runner_.outdated()) {
        // Somebody died, or saw an attempt fail, before everyone had the average: pass it on.
        average_deadline_ = now + 2.0 * options_.average_timeout;
        average(now);
      }
      return;
  }
}

bool Finisher::others_have_last_step() const {
  const auto& members = liveness_.members();
  const auto live = members.live_ranks();
  return std::all_of(live.begin(), live.end(), [&](int rank) {
    const auto& member = members.of(rank);
    return member.phase >= Phase::kFinished || member.passes >= runner_.steps_completed();
  });
}

bool Finisher::others_average() const {
  const auto& members = liveness_.members();
  const auto live = members.live_ranks();
  return std::any_of(live.begin(), live.end(), [&](int rank) {
    const auto phase = members.of(rank).phase;
    return phase == Phase::kAveraging || phase == Phase::kAveraged;
  });
}

void Finisher::average(double now) {
  stage_ = Stage::kAveraging;
  liveness_.set_phase(Phase::kAveraging);
  TreeRunner::Request request;
  request.purpose = TreePurpose::kFinal;
  request.operation = exchange::TreeOperation::kFinalAverage;
  request.has_result = has_result_;
  request.alone = alone_;
  request.timeout = options_.average_timeout;
  request.deadline = average_deadline_;
  runner_.start(request, now);
}

void Finisher::on_complete(double now) {
  if (!has_result_) note_result(runner_.counted(), runner_.squared_distance());
  // One that gave up holds a result of its own, which it has nobody to pass on to: as a participant it would
  // only be in the way of the others.
  if (alone_ || liveness_.members().declared_gone()) {
    conclude();
    return;
  }
  liveness_.set_phase(Phase::kAveraged);
  stage_ = Stage::kOthersAverage;
  // Long enough for one that missed it to notice, to find out who is left, and to try again.
  stage_deadline_ =
      now + 2.0 * options_.average_timeout + options_.gone_after + 2.0 * options_.heartbeat_interval;
}

void Finisher::note_result(std::vector<int> averaged, double squared_distance) {
  has_result_ = true;
  averaged_ = std::move(averaged);
  result_ = name_of_result(averaged_);
  liveness_.set_result(result_, squared_distance);
}

bool Finisher::is_lowest() const {
  const auto& members = liveness_.members();
  const int self = options_.rank;
  // Given up by the others: they have a lowest of their own.
  if (members.declared_gone()) return false;
  for (int rank = 0; rank < options_.world_size; ++rank) {
    if (rank == self) continue;
    const auto& member = members.of(rank);
    // Who holds another result (it was cut off, or we were) reports it when it is lower, or was first.
    const bool another = member.result != 0 && member.result != result_;
    if (another && (rank < self || earlier_.contains(member.result))) return false;
    // One that gave up cannot wait for what the others come to.
    if (alone_ && rank < self && member.phase == Phase::kAveraging) return false;
  }
  // Of those in the average, whoever is lowest and did not die; it may have left already, its work done.
  const auto first = std::find_if(averaged_.begin(), averaged_.end(), [&](int rank) {
    return rank == self || members.of(rank).phase != Phase::kGone;
  });
  if (first != averaged_.end()) return *first == self;
  // All whom it counts are dead: of those to whom it was passed on.
  for (int rank = 0; rank < self; ++rank) {
    if (members.of(rank).result == result_ && members.of(rank).phase != Phase::kGone) return false;
  }
  return true;
}

void Finisher::conclude() {
  const auto& members = liveness_.members();
  FinishResult result;
  result.members = averaged_;
  double sum = 0.0;
  int counted = 0;
  for (int rank = 0; rank < options_.world_size; ++rank) {
    const auto& state = members.of(rank);
    const bool absent = !std::binary_search(averaged_.begin(), averaged_.end(), rank);
    // Also who died after its parameters went into the average, or never got it.
    const bool gone = state.phase == Phase::kGone && rank != options_.rank;
    const bool without = state.result != result_;
    if (gone || absent || without) result.lost.push_back(rank);
    // Without: it died, or was slow to say.
    if (absent || without) continue;
    sum += state.squared_distance;
    ++counted;
  }
  result.consensus_distance = counted > 0 ? std::sqrt(sum / counted) : 0.0;
  result.distance_to_mean = std::sqrt(members.of(options_.rank).squared_distance);
  result.lowest = is_lowest();
  result.exit_code = result.lost.empty() ? 0 : kExitLost;
  // Nothing that could throw stands between these: whoever waits gets the result, or fail()'s reason.
  liveness_.set_phase(Phase::kConcluded);
  stage_ = Stage::kDone;
  promise_.set_value(std::move(result));
}

void Finisher::fail(const std::string& why) {
  if (!active()) return;
  stage_ = Stage::kDone;
  promise_.set_exception(std::make_exception_ptr(TransportError(why)));
}

double Finisher::next_deadline(double now) const {
  switch (stage_) {
    case Stage::kIdle:
    case Stage::kDone:
      return std::numeric_limits<double>::infinity();
    case Stage::kMeetingEnds:
      return now + 0.01;
    case Stage::kLastStep:
      return std::min(stage_deadline_, runner_.next_deadline(now));
    case Stage::kAveraging:
      return runner_.next_deadline(now);
    default:
      return stage_deadline_;
  }
}

}  // namespace duet::worker
