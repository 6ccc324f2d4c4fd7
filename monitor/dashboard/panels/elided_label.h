#pragma once

#include <QLabel>

namespace duet::dashboard {

/// One line of text that takes the room that there is: elided at its end where that is too little, the tip
/// has all of it. A plain label would make the window as wide as its text.
class ElidedLabel : public QLabel {
  Q_OBJECT

 public:
  explicit ElidedLabel(QWidget* parent = nullptr);
  QSize minimumSizeHint() const override;

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  QString shown() const;
};

}  // namespace duet::dashboard
