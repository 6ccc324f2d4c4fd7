#include "tick_aligner.h"

#include <algorithm>
#include <utility>

namespace duet::observer {

bool TickAligner::add(double now, const TickReport& report) {
  if (last_ && report.tick <= *last_) {
    ++late_;
    // Far behind, and nothing else comes: the workers' clocks were set back, or a wrong one had run ahead.
    // Begin anew where they are now.
    if (*last_ - report.tick < kFarBehind || now - last_on_time_ < kClockSetBack) return false;
    last_.reset();
    open_.clear();
  }
  last_on_time_ = now;
  Open& open = open_[report.tick];
  if (open.reports.empty()) open.since = now;
  const bool twice = std::any_of(open.reports.begin(), open.reports.end(),
                                 [&](const TickReport& other) { return other.rank == report.rank; });
  if (twice) return false;
  open.reports.push_back(report);
  return true;
}

std::vector<ConsensusSample> TickAligner::take(double now) {
  std::vector<ConsensusSample> closed;
  while (!open_.empty()) {
    const auto first = open_.begin();
    const Open& open = first->second;
    int members = 0;
    for (const TickReport& report : open.reports)
      members = std::max(members, report.members);
    const bool complete = static_cast<int>(open.reports.size()) >= members;
    const bool overdue = now - open.since >= patience_ || open_.size() > kMostOpen;
    if (!complete && !overdue) break;
    const bool alone = members > 1 && open.reports.size() == 1;
    if (!(alone && last_ && first->first > *last_ + kFarAhead)) close(open, closed);
    open_.erase(first);
  }
  return closed;
}

void TickAligner::close(const Open& open, std::vector<ConsensusSample>& into) {
  const std::uint64_t tick = open.reports.front().tick;
  if (last_ && tick - *last_ - 1 <= kLongestGap) missed_ += tick - *last_ - 1;
  last_ = tick;
  into.push_back(estimate_consensus(open.reports));
}

}  // namespace duet::observer
