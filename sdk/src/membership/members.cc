#include "membership/members.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace duet::membership {
namespace {

/// Ranks that come from outside are checked by the callers below; any other is a mistake in Duet.
[[noreturn]] void abort_on_rank(int rank, std::size_t members) {
  std::fprintf(stderr, "duet: there is no rank %d among %zu members\n", rank, members);
  std::abort();
}

}  // namespace

bool merge_state(MemberState& known, const MemberState& told) {
  if (told.incarnation != known.incarnation) return false;
  known.phase = std::max(known.phase, told.phase);
  known.beats = std::max(known.beats, told.beats);
  known.steps = std::max(known.steps, told.steps);
  known.samples = std::max(known.samples, told.samples);
  known.meetings = std::max(known.meetings, told.meetings);
  known.attempt = std::max(known.attempt, told.attempt);
  known.passes = std::max(known.passes, told.passes);
  known.result = std::max(known.result, told.result);
  // In this order a NaN never gets in.
  if (told.squared_distance > known.squared_distance) known.squared_distance = told.squared_distance;
  return true;
}

Members::Members(const Roster& roster, int self, double gone_after)
    : self_(self),
      gone_after_(gone_after),
      states_(roster.entries.size()),
      heard_(roster.entries.size(), 0.0) {
  for (std::size_t i = 0; i < states_.size(); ++i)
    states_[i].incarnation = roster.entries[i].incarnation;
  state(self);
}

MemberState& Members::state(int rank) {
  const auto index = static_cast<std::size_t>(rank);
  if (index >= states_.size()) abort_on_rank(rank, states_.size());
  return states_[index];
}

void Members::begin(double now) {
  if (begun_) return;
  begun_ = true;
  last_check_ = now;
  std::fill(heard_.begin(), heard_.end(), now);
}

MemberState& Members::mine() {
  return state(self_);
}

const MemberState& Members::of(int rank) const {
  return const_cast<Members*>(this)->state(rank);
}

const std::vector<MemberState>& Members::states() const {
  return states_;
}

bool Members::merge(double now, int from, const std::vector<MemberState>& states) {
  begin(now);
  const auto sender = static_cast<std::size_t>(from);
  if (sender >= states_.size() || states.size() != states_.size()) return false;
  if (states[sender].incarnation != states_[sender].incarnation || states_[sender].phase == Phase::kGone)
    return false;
  heard(now, from);

  bool changed = false;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (static_cast<int>(i) == self_) {
      declared_gone_ |= states[i].incarnation == states_[i].incarnation && states[i].phase >= Phase::kLeft &&
                        states_[i].phase < Phase::kLeft;
      continue;
    }
    const Phase before = states_[i].phase;
    if (states[i].incarnation == states_[i].incarnation && states[i].beats > states_[i].beats)
      heard(now, static_cast<int>(i));
    merge_state(states_[i], states[i]);
    changed |= states_[i].phase != before;
  }
  return changed;
}

void Members::heard(double now, int from) {
  begin(now);
  const auto index = static_cast<std::size_t>(from);
  if (index < heard_.size()) heard_[index] = std::max(heard_[index], now);
}

std::vector<int> Members::check(double now, const std::vector<int>& watched) {
  begin(now);
  if (now - last_check_ > gone_after_ / 2) {
    for (double& heard : heard_)
      heard = std::max(heard, now - gone_after_ / 2);
  }
  last_check_ = now;

  std::vector<int> gone;
  for (const int rank : watched) {
    if (rank == self_ || !live(rank) || silence(now, rank) < gone_after_) continue;
    Phase& phase = state(rank).phase;
    if (phase >= Phase::kAveraged) {
      phase = Phase::kLeft;
    } else {
      phase = Phase::kGone;
      gone.push_back(rank);
    }
  }
  return gone;
}

bool Members::live(int rank) const {
  return of(rank).phase < Phase::kLeft;
}

std::vector<int> Members::live_ranks() const {
  std::vector<int> ranks;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (live(static_cast<int>(i))) ranks.push_back(static_cast<int>(i));
  }
  return ranks;
}

std::vector<int> Members::gone_ranks() const {
  std::vector<int> ranks;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].phase == Phase::kGone) ranks.push_back(static_cast<int>(i));
  }
  return ranks;
}

bool Members::declared_gone() const {
  return declared_gone_;
}

std::uint64_t Members::epoch() const {
  return 1 + gone_ranks().size();
}

std::uint64_t Members::live_hash() const {
  std::vector<std::uint64_t> words;
  words.reserve(3 * states_.size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].phase == Phase::kGone) continue;
    words.insert(words.end(), {i, states_[i].incarnation.high, states_[i].incarnation.low});
  }
  return XXH3_64bits(words.data(), words.size() * sizeof(std::uint64_t));
}

std::uint64_t Members::total_samples() const {
  std::uint64_t total = 0;
  for (const MemberState& member : states_)
    total += member.samples;
  return total;
}

std::uint64_t Members::total_steps() const {
  std::uint64_t total = 0;
  for (const MemberState& member : states_)
    total += member.steps;
  return total;
}

bool Members::all_live_at_least(Phase phase) const {
  return std::all_of(states_.begin(), states_.end(), [phase](const MemberState& member) {
    return member.phase >= Phase::kLeft || member.phase >= phase;
  });
}

double Members::silence(double now, int rank) const {
  of(rank);
  return begun_ ? std::max(0.0, now - heard_[static_cast<std::size_t>(rank)]) : 0.0;
}

}  // namespace duet::membership
