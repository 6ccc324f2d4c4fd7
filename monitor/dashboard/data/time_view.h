#pragma once

#include <QObject>
#include <cstddef>
#include <optional>
#include <vector>

namespace duet::dashboard {

/// Seconds on the run's time line.
struct TimeRange {
  double from = 0.0;
  double to = 1.0;
  double length() const { return to - from; }
  bool contains(double time) const { return from <= time && time <= to; }
  bool operator==(const TimeRange&) const = default;
};

/// Which part of the run all time plots show: either they follow the newest data with a window of a fixed
/// length, or they stand still on a range. It also has the crosshair that they share. Data may go on arriving
/// in both cases.
class TimeView : public QObject {
  Q_OBJECT

 public:
  static constexpr double kShortestWindow = 10.0;
  static constexpr double kLongestWindow = 3600.0;
  static constexpr double kDefaultWindow = 120.0;
  /// Zooming in ends here: below it nothing was sampled.
  static constexpr double kShortestRange = 0.05;

  explicit TimeView(QObject* parent = nullptr);

  TimeRange range() const;
  bool live() const { return !fixed_.has_value(); }
  double window() const { return window_; }
  /// What is held, oldest to newest.
  TimeRange extent() const { return extent_; }
  std::optional<double> cursor() const { return cursor_; }
  /// How many zooms there were that were not taken back.
  std::size_t depth() const { return forgotten_ + stack_.size(); }

  /// Clamped to 10 s … 1 h.
  void set_window(double seconds);
  void set_extent(TimeRange held);
  /// Stops following.
  void zoom_to(TimeRange range);
  /// factor < 1 zooms in; `anchor` stays where it is. Stops following. Turns of a wheel after each other are
  /// one zoom.
  void zoom_at(double anchor, double factor);
  void pan_by(double seconds);
  /// The range before the last zoom; live, when there is none.
  void zoom_back();
  /// All that is held. Stops following.
  void fit();
  /// Follows the newest data again; forgets all zooms.
  void go_live();
  /// Stands still on what is shown now.
  void pause();
  void toggle_live();
  void set_cursor(std::optional<double> time);

 Q_SIGNALS:
  void changed();
  void live_changed(bool live);
  /// go_live() was asked for, whether or not it was live: plots let go of the values that they were zoomed
  /// to.
  void went_live();
  void cursor_changed();

 private:
  void fix(TimeRange range);
  void remember();

  double window_ = kDefaultWindow;
  TimeRange extent_{0.0, 0.0};
  std::optional<TimeRange> fixed_;
  std::vector<std::optional<TimeRange>> stack_;
  std::size_t forgotten_ = 0;  ///< zooms that were too many for the stack
  bool turning_ = false;       ///< the last thing that happened was zoom_at()
  std::optional<double> cursor_;
};

}  // namespace duet::dashboard
