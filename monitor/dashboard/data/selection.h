#pragma once

#include <QObject>
#include <optional>
#include <set>

namespace duet::dashboard {

/// Which workers are drawn as lines of their own, and which one has the reader's attention. Shared by legend,
/// plots, graph and table. Up to kManyWorkers everyone has a line from the start; above, plots show mean and
/// band, and a worker gets a line on request.
class Selection : public QObject {
  Q_OBJECT

 public:
  static constexpr int kManyWorkers = 32;

  explicit Selection(QObject* parent = nullptr);

  void set_workers(int count);
  int workers() const { return workers_; }
  bool many() const { return workers_ > kManyWorkers; }

  bool shown(int rank) const;
  /// How many of the workers have a line.
  int shown_count() const;
  void toggle(int rank);
  /// This one alone; once more: back to how it is without any choice.
  void solo(int rank);
  void show_all();
  void show_none();
  /// As many or as few as without any choice.
  void reset();

  std::optional<int> focused() const { return focused_; }
  void focus(std::optional<int> rank);

 Q_SIGNALS:
  void changed();
  void focus_changed();

 private:
  int workers_ = 0;
  bool all_ = true;  ///< what holds for whoever is not an exception
  std::set<int> exceptions_;
  bool chosen_ = false;  ///< show_all or show_none was asked for: the number of workers decides no longer
  std::optional<int> soloed_;
  std::optional<int> focused_;
};

}  // namespace duet::dashboard
