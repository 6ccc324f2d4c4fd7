#include "worker/finisher.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include "duet/error.h"
#include "support/log.h"

namespace duet::worker {
namespace {

constexpr int kExitLost = 3;

}  // namespace

Finisher::Finisher(const Options& options, Liveness& liveness, MeetingDriver* meetings, TreeRunner& runner)
    : options_(options), liveness_(liveness), meetings_(meetings), runner_(runner) {}

void Finisher::start(double now, std::promise<FinishResult> promise) {
  promise_ = std::move(promise);
  stage_ = Stage::kOthersTrain;
  stage_deadline_ = now + options_.finish_timeout;
  liveness_.set_phase(membership::Phase::kFinished);
  if (meetings_ != nullptr) meetings_->finish(now);
}

void Finisher::advance(double now) {
  switch (stage_) {
    case Stage::kIdle:
    case Stage::kDone:
      return;
    case Stage::kOthersTrain:
      if (!liveness_.members().all_live_at_least(membership::Phase::kFinished) && now < stage_deadline_)
        return;
      if (meetings_ != nullptr) meetings_->stop(now);
      stage_ = Stage::kMeetingEnds;
      [[fallthrough]];
    case Stage::kMeetingEnds:
      // A meeting ends by itself, by its own deadline at the latest.
      if (meetings_ != nullptr && meetings_->in_meeting()) return;
      average_deadline_ = now + 2.0 * options_.average_timeout;
      average(now);
      return;
    case Stage::kAveraging:
      switch (runner_.advance(now)) {
        case TreeRunner::State::kComplete:
          averaged_ = runner_.participants();
          if (!has_result_) liveness_.set_squared_distance(runner_.squared_distance());
          has_result_ = true;
          liveness_.set_phase(membership::Phase::kAveraged);
          stage_ = Stage::kOthersAverage;
          // Long enough for one that missed it to notice, to find out who is left, and to try again.
          stage_deadline_ =
              now + 2.0 * options_.average_timeout + options_.gone_after + 2.0 * options_.heartbeat_interval;
          return;
        case TreeRunner::State::kFailed:
          if (has_result_ || alone_) {
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
      if (liveness_.members().all_live_at_least(membership::Phase::kAveraged) || now >= stage_deadline_) {
        conclude();
      } else if (runner_.outdated()) {
        // Somebody died, or saw an attempt fail, before everyone had the average: pass it on.
        average_deadline_ = now + 2.0 * options_.average_timeout;
        average(now);
      }
      return;
  }
}

bool Finisher::others_average() const {
  const auto& members = liveness_.members();
  for (const int rank : members.live_ranks()) {
    const auto phase = members.of(rank).phase;
    if (phase == membership::Phase::kAveraging || phase == membership::Phase::kAveraged) return true;
  }
  return false;
}

void Finisher::average(double now) {
  stage_ = Stage::kAveraging;
  liveness_.set_phase(membership::Phase::kAveraging);
  TreeRunner::Request request;
  request.purpose = TreePurpose::kFinal;
  request.operation = exchange::TreeOperation::kAverage;
  request.has_result = has_result_;
  request.alone = alone_;
  request.timeout = options_.average_timeout;
  request.deadline = average_deadline_;
  runner_.start(request, now);
}

void Finisher::conclude() {
  stage_ = Stage::kDone;
  liveness_.set_phase(membership::Phase::kConcluded);
  const auto& members = liveness_.members();
  FinishResult result;
  result.members = averaged_;
  for (int rank = 0; rank < options_.world_size; ++rank) {
    // Also who died after its parameters went into the average, or never got it.
    const bool gone = members.of(rank).phase == membership::Phase::kGone && rank != options_.rank;
    const bool absent = std::find(result.members.begin(), result.members.end(), rank) == result.members.end();
    const bool without = members.of(rank).phase < membership::Phase::kAveraged && rank != options_.rank;
    if (gone || absent || without) result.lost.push_back(rank);
  }
  double sum = 0.0;
  int counted = 0;
  for (const int rank : result.members) {
    const auto& state = members.of(rank);
    // Not heard of: it died, or was slow to say.
    if (state.phase < membership::Phase::kAveraged) continue;
    if (state.phase == membership::Phase::kGone && state.squared_distance == 0.0) continue;
    sum += state.squared_distance;
    ++counted;
  }
  result.consensus_distance = counted > 0 ? std::sqrt(sum / counted) : 0.0;
  result.distance_to_mean = std::sqrt(members.of(options_.rank).squared_distance);
  // Of those in the average, whoever is lowest and did not die; it may have left already, its work done.
  const auto first = std::find_if(result.members.begin(), result.members.end(), [&](int rank) {
    return rank == options_.rank || members.of(rank).phase != membership::Phase::kGone;
  });
  // Given up by the others: they have a lowest of their own.
  result.lowest = *first == options_.rank && !members.declared_gone();
  result.exit_code = result.lost.empty() ? 0 : kExitLost;
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
    case Stage::kAveraging:
      return runner_.next_deadline(now);
    default:
      return stage_deadline_;
  }
}

}  // namespace duet::worker
