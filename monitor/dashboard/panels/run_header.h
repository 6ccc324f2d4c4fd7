#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "dashboard/window/theme.h"
#include "duet/observer/snapshot.h"

namespace duet::dashboard {

/// What holds for the run as a whole, as names above values, in as many rows as the width asks for.
class RunHeader : public QWidget {
  Q_OBJECT

 public:
  struct Item {
    QString name;
    QString value;
    QString tip;
    bool operator==(const Item&) const = default;
  };

  explicit RunHeader(const Theme& theme, QWidget* parent = nullptr);
  void set_theme(const Theme& theme);
  void apply(const observer::Snapshot& snapshot);
  const std::vector<Item>& items() const { return items_; }
  /// Pure.
  static std::vector<Item> items_of(const observer::Snapshot& snapshot);

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override;

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  std::vector<QRect> places(int width) const;

  Theme theme_;
  std::vector<Item> items_;
};

}  // namespace duet::dashboard
