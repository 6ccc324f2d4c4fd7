#include "rate_window.h"

namespace duet::observer {

RateWindow::RateWindow(double seconds, std::size_t points)
    : seconds_(seconds), spacing_(seconds / static_cast<double>(points)) {}

void RateWindow::add(double time, std::uint64_t count) {
  if (!points_.empty()) {
    const Point& last = points_.back();
    if (count < last.count || time < last.time - seconds_) {
      points_.clear();
    } else if (time <= last.time) {
      return;
    }
  }
  const std::size_t size = points_.size();
  if (size >= 2 && time - points_[size - 2].time < spacing_) {
    points_.back() = {time, count};
  } else {
    points_.push_back({time, count});
  }
  // The oldest one stays until the next has reached the far end: the window is covered, not cut short.
  std::size_t old = 0;
  while (old + 2 < points_.size() && points_[old + 1].time <= time - seconds_)
    ++old;
  points_.erase(points_.begin(), points_.begin() + static_cast<std::ptrdiff_t>(old));
}

std::optional<RateWindow::Increase> RateWindow::increase() const {
  if (points_.size() < 2) return std::nullopt;
  const Point& first = points_.front();
  const Point& last = points_.back();
  if (!(last.time > first.time)) return std::nullopt;
  return Increase{static_cast<double>(last.count - first.count), last.time - first.time};
}

std::optional<double> RateWindow::rate() const {
  const std::optional<Increase> sum = increase();
  if (!sum) return std::nullopt;
  return sum->count / sum->seconds;
}

}  // namespace duet::observer
