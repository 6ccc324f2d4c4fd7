#pragma once

#include <QHBoxLayout>
#include <QPushButton>
#include <QWidget>
#include <utility>
#include <vector>

#include "dashboard/window/theme.h"
#include "duet/observer/diagnosis.h"

namespace duet::dashboard {

/// The strip that says what is wrong, the worst first; a click jumps to whom it is about. What does not fit
/// is behind a button that lists it.
class DiagnosisPanel : public QWidget {
  Q_OBJECT

 public:
  explicit DiagnosisPanel(const Theme& theme, QWidget* parent = nullptr);
  void set_theme(const Theme& theme);
  /// `waiting`: there is nothing to judge yet.
  void apply(const std::vector<observer::Finding>& findings, bool waiting);
  const std::vector<observer::Finding>& findings() const { return findings_; }
  /// Those that are seen.
  std::vector<QString> shown_texts() const;

  QSize minimumSizeHint() const override { return {120, QWidget::minimumSizeHint().height()}; }

 Q_SIGNALS:
  /// peer −1: it is about a worker, not an edge.
  void finding_picked(int rank, int peer);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void arrange();
  void show_more();
  bool pressed() const;
  QString style(Tone tone) const;

  Theme theme_;
  std::vector<observer::Finding> findings_;
  bool waiting_ = true;
  QHBoxLayout* layout_;
  std::vector<QPushButton*>
      buttons_;  ///< patched: a button that somebody presses neither vanishes nor changes
  std::vector<std::pair<int, int>> targets_;  ///< rank and peer of what each button says
  QPushButton* more_;
};

}  // namespace duet::dashboard
