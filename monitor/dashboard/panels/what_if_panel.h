#pragma once

#include <QLabel>
#include <QPushButton>
#include <QWidget>
#include <optional>

#include "dashboard/data/what_if.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// What would become of χ₁, χ₂, α̃ and the mixing time without the workers and edges that were taken out in
/// the graph view. Computes on a thread of the pool, one question at a time: of those that are asked
/// meanwhile only the last one counts.
class WhatIfPanel : public QWidget {
  Q_OBJECT

 public:
  explicit WhatIfPanel(const Theme& theme, QWidget* parent = nullptr);
  void set_theme(const Theme& theme);
  /// Hidden as long as nothing was taken out.
  void ask(const GraphOfRun& run, const WhatIf& what);
  QString text() const { return label_->text(); }
  bool busy() const { return computing_; }
  QPushButton& reset_button() { return *reset_; }

 Q_SIGNALS:
  void reset_asked();
  void answered();

 private:
  struct Question {
    GraphOfRun run;
    WhatIf what;
  };
  void compute();
  void take(const Prediction& before, const Prediction& after);
  void show_answer(const Prediction& before, const Prediction& after);

  Theme theme_;
  WhatIf what_;
  QLabel* label_;
  QPushButton* reset_;
  std::optional<Question> next_;
  bool computing_ = false;
};

/// "χ₁ 13.14 → 15.2 (+16 %)"; pure.
QString change_text(const QString& name, double before, double after);

}  // namespace duet::dashboard
