#pragma once

#include <QAbstractTableModel>
#include <QString>
#include <optional>
#include <vector>

#include "dashboard/window/theme.h"
#include "duet/observer/snapshot.h"

namespace duet::dashboard {

/// The table of workers: row k is rank k. Patched, never reset: rows come at the end, changes are told as
/// ranges of neighbouring rows, and views keep their selection, order and place.
class WorkerModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum ColumnName {
    kRank,
    kHost,
    kState,
    kSteps,
    kStepsPerSecond,
    kPairingsPerSecond,
    kWaiting,
    kBytesPerSecond,
    kDistance,
    kHeartbeat,
    kColumns
  };
  /// A number (or text) to sort by; what is not known comes last.
  static constexpr int kSortRole = Qt::UserRole + 1;

  explicit WorkerModel(const Theme& theme, QObject* parent = nullptr);

  void set_theme(const Theme& theme);
  void apply(const observer::Snapshot& snapshot, const observer::Update& update);
  /// Ages grow: once a second.
  void advance(const observer::Snapshot& snapshot);

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

  static Tone tone_of(observer::WorkerState state);

 private:
  struct Row {
    QString host;
    observer::WorkerState state = observer::WorkerState::kExpected;
    bool finite = true;
    std::uint64_t steps = 0;
    int lives = 0;
    std::optional<double> steps_per_second, pairings_per_second, target, waiting, bytes_per_second, distance,
        heard;
    bool operator==(const Row&) const = default;
  };
  static Row row_of(const observer::Worker& worker);
  QString text(const Row& row, int rank, int column) const;
  QVariant sort_key(const Row& row, int rank, int column) const;
  QString tip(const Row& row, int rank, int column) const;
  void tell(int first, int last);

  Theme theme_;
  std::vector<Row> rows_;
  double now_ = 0.0;
  double told_ = 0.0;
};

}  // namespace duet::dashboard
