#include "dashboard/panels/what_if_panel.h"

#include <QHBoxLayout>
#include <QStringList>
#include <cmath>
#include <utility>

#include "dashboard/data/background.h"
#include "dashboard/data/number_text.h"

namespace duet::dashboard {

QString change_text(const QString& name, double before, double after) {
  QString text = QStringLiteral("%1 %2 → %3").arg(name, value_text(before), value_text(after));
  if (before > 0 && std::isfinite(before) && std::isfinite(after)) {
    const double percent = (after / before - 1) * 100;
    if (std::abs(percent) < 0.05) return text + QStringLiteral(" (±0 %)");
    text += QStringLiteral(" (%1%2 %)")
                .arg(percent >= 0 ? QStringLiteral("+") : QStringLiteral("−"))
                .arg(std::abs(percent), 0, 'f', std::abs(percent) < 10 ? 1 : 0);
  }
  return text;
}

WhatIfPanel::WhatIfPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), label_(new QLabel(this)), reset_(new QPushButton(tr("Reset"), this)) {
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(6, 4, 6, 4);
  label_->setWordWrap(true);
  label_->setTextFormat(Qt::PlainText);
  label_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  layout->addWidget(label_, 1);
  layout->addWidget(reset_, 0, Qt::AlignTop);
  connect(reset_, &QPushButton::clicked, this, &WhatIfPanel::reset_asked);
  hide();
}

void WhatIfPanel::set_theme(const Theme& theme) {
  theme_ = theme;
}

void WhatIfPanel::ask(const GraphOfRun& run, const WhatIf& what) {
  what_ = what;
  setVisible(!what.empty());
  next_.reset();
  if (what.empty()) return;
  next_ = Question{run, what};
  if (label_->text().isEmpty()) label_->setText(tr("Computing …"));
  // What stands there answers the former question.
  label_->setEnabled(false);
  if (!computing_) compute();
}

void WhatIfPanel::compute() {
  computing_ = true;
  const Question question = *std::exchange(next_, std::nullopt);
  in_background(
      this, [question] { return std::pair(predict(question.run, {}), predict(question.run, question.what)); },
      [this](const std::pair<Prediction, Prediction>& answer) { take(answer.first, answer.second); });
}

void WhatIfPanel::take(const Prediction& before, const Prediction& after) {
  computing_ = false;
  if (next_) return compute();
  if (!what_.empty()) show_answer(before, after);
}

void WhatIfPanel::show_answer(const Prediction& before, const Prediction& after) {
  label_->setEnabled(true);
  QStringList out;
  for (const int rank : what_.workers)
    out << tr("worker %1").arg(rank);
  for (const auto& [a, b] : what_.edges)
    out << tr("edge %1 – %2").arg(a).arg(b);
  QString text = tr("Without %1: ").arg(out.join(QStringLiteral(", ")));
  if (!before.known() || !after.known()) {
    text += QString::fromStdString(after.known() ? before.problem : after.problem);
  } else if (!after.connected()) {
    QStringList ranks;
    for (std::size_t k = 0; k < after.cut_off.size() && k < 8; ++k)
      ranks << QString::number(after.cut_off[k]);
    if (after.cut_off.size() > 8) ranks << QStringLiteral("…");
    text += tr("the graph falls into %1 parts, worker %2 cut off from the others: χ₁ = ∞, it would not mix "
               "any more.")
                .arg(after.components)
                .arg(ranks.join(QStringLiteral(", ")));
  } else {
    text +=
        QStringList{
            change_text(QStringLiteral("χ₁"), before.constants.chi1, after.constants.chi1),
            change_text(QStringLiteral("χ₂"), before.constants.chi2, after.constants.chi2),
            change_text(QStringLiteral("α̃"), before.constants.alpha_tilde, after.constants.alpha_tilde),
            change_text(tr("mixing time"), before.mixing_steps, after.mixing_steps) + tr(" steps")}
            .join(QStringLiteral(" · "));
  }
  label_->setText(text);
  Q_EMIT answered();
}

}  // namespace duet::dashboard
