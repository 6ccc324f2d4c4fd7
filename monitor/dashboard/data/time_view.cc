#include "dashboard/data/time_view.h"

#include <algorithm>
#include <cmath>

namespace duet::dashboard {

namespace {
constexpr std::size_t kStack = 64;
}  // namespace

TimeView::TimeView(QObject* parent) : QObject(parent) {}

TimeRange TimeView::range() const {
  if (fixed_) return *fixed_;
  // A run younger than the window grows from the left edge, instead of sitting squeezed at the right one.
  const double from = std::max(extent_.to - window_, std::min(extent_.from, extent_.to));
  return {from, std::max(extent_.to, from + kShortestWindow)};
}

void TimeView::set_window(double seconds) {
  if (!std::isfinite(seconds)) return;
  seconds = std::clamp(seconds, kShortestWindow, kLongestWindow);
  if (seconds == window_) return;
  window_ = seconds;
  Q_EMIT changed();
}

void TimeView::set_extent(TimeRange held) {
  if (held == extent_) return;
  extent_ = held;
  Q_EMIT changed();
}

void TimeView::fix(TimeRange range) {
  const bool was_live = live();
  fixed_ = range;
  turning_ = false;
  if (was_live) Q_EMIT live_changed(false);
  Q_EMIT changed();
}

void TimeView::remember() {
  stack_.push_back(fixed_);
  if (stack_.size() <= kStack) return;
  stack_.erase(stack_.begin());
  ++forgotten_;
}

void TimeView::zoom_to(TimeRange range) {
  if (!std::isfinite(range.from) || !std::isfinite(range.to)) return;
  if (range.from > range.to) std::swap(range.from, range.to);
  if (range.length() < kShortestRange) {
    const double middle = (range.from + range.to) / 2;
    range = {middle - kShortestRange / 2, middle + kShortestRange / 2};
  }
  remember();
  fix(range);
}

void TimeView::zoom_at(double anchor, double factor) {
  const TimeRange now = range();
  // Out to what is held, or to the longest window, whichever is more; beyond it there is nothing to see.
  const double longest = std::max(extent_.length() * 1.1, kLongestWindow);
  const double length = std::clamp(now.length() * factor, kShortestRange, longest);
  const double share = now.length() > 0 ? (anchor - now.from) / now.length() : 0.5;
  const double from = anchor - share * length;
  if (!turning_) remember();
  fix({from, from + length});
  turning_ = true;
}

void TimeView::pan_by(double seconds) {
  const TimeRange now = range();
  const double length = now.length();
  // Half a range beyond the data at most: nobody gets lost in emptiness.
  const double lowest = std::min(extent_.from, extent_.to) - length / 2;
  const double highest = std::max(lowest, extent_.to - length / 2);
  const double from = std::clamp(now.from + seconds, std::min(lowest, now.from), std::max(highest, now.from));
  fix({from, from + length});
}

void TimeView::zoom_back() {
  if (stack_.empty()) return go_live();
  const std::optional<TimeRange> before = stack_.back();
  stack_.pop_back();
  if (!before) return go_live();
  fix(*before);
}

void TimeView::fit() {
  if (extent_.length() <= 0) return;
  zoom_to(extent_);
}

void TimeView::go_live() {
  stack_.clear();
  forgotten_ = 0;
  turning_ = false;
  const bool was_live = live();
  fixed_.reset();
  Q_EMIT went_live();
  if (was_live) return;
  Q_EMIT live_changed(true);
  Q_EMIT changed();
}

void TimeView::pause() {
  if (live()) fix(range());
}

void TimeView::toggle_live() {
  live() ? pause() : go_live();
}

void TimeView::set_cursor(std::optional<double> time) {
  if (time == cursor_) return;
  cursor_ = time;
  Q_EMIT cursor_changed();
}

}  // namespace duet::dashboard
