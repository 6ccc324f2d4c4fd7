#include "dashboard/panels/diagnosis_panel.h"

#include <QFontMetrics>
#include <QMenu>
#include <QResizeEvent>
#include <algorithm>

namespace duet::dashboard {

namespace {
constexpr int kMost = 8;
constexpr std::size_t kMostInMenu = 30;
constexpr int kPadding = 26;  ///< of a button, beside its text

Tone tone_of(observer::Severity severity) {
  switch (severity) {
    case observer::Severity::kError:
      return Tone::kBad;
    case observer::Severity::kWarning:
      return Tone::kWarning;
    case observer::Severity::kInfo:
      break;
  }
  return Tone::kNotice;
}

QString text_of(const observer::Finding& finding) {
  return (finding.severity == observer::Severity::kError ? QStringLiteral("✕ ") : QStringLiteral("! ")) +
         QString::fromStdString(finding.text);
}
}  // namespace

DiagnosisPanel::DiagnosisPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), layout_(new QHBoxLayout(this)), more_(new QPushButton(this)) {
  layout_->setContentsMargins(8, 4, 8, 4);
  layout_->setSpacing(6);
  setAccessibleName(tr("Diagnosis"));
  for (int k = 0; k < kMost; ++k) {
    auto* button = new QPushButton(this);
    button->hide();
    button->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    layout_->addWidget(button);
    buttons_.push_back(button);
    connect(button, &QPushButton::clicked, this, [this, k] {
      const auto index = static_cast<std::size_t>(k);
      const auto [rank, peer] = targets_[index];
      if (rank >= 0) Q_EMIT finding_picked(rank, peer);
    });
  }
  targets_.assign(kMost, {-1, -1});
  layout_->addWidget(more_);
  layout_->addStretch(1);
  connect(more_, &QPushButton::clicked, this, &DiagnosisPanel::show_more);
  more_->hide();
  setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  arrange();
}

QString DiagnosisPanel::style(Tone tone) const {
  return QStringLiteral(
             "QPushButton { color: %1; background: %2; border: 1px solid %1; border-radius: 4px; padding: "
             "2px 8px;"
             " text-align: left; } QPushButton:hover, QPushButton:focus { border: 2px solid %1; padding: 1px "
             "7px; }")
      .arg(theme_.tone(tone).name(), theme_.tone_surface(tone).name());
}

void DiagnosisPanel::set_theme(const Theme& theme) {
  theme_ = theme;
  arrange();
}

void DiagnosisPanel::apply(const std::vector<observer::Finding>& findings, bool waiting) {
  findings_ = findings;
  waiting_ = waiting;
  // Under somebody's finger nothing moves; there is a next time soon.
  if (!pressed()) arrange();
}

bool DiagnosisPanel::pressed() const {
  return std::any_of(buttons_.begin(), buttons_.end(),
                     [](const QPushButton* button) { return button->isDown(); });
}

void DiagnosisPanel::arrange() {
  std::fill(targets_.begin(), targets_.end(), std::pair(-1, -1));
  const QFontMetrics metrics(font());
  int room = width() - 20 - metrics.horizontalAdvance(tr("+%1 more").arg(999)) - kPadding;
  std::size_t shown = 0;
  const auto put = [this](QPushButton* button, const QString& text, const QString& tip, Tone tone,
                          bool enabled) {
    if (button->text() != text) button->setText(text);
    if (button->toolTip() != tip) button->setToolTip(tip);
    if (const QString wanted = style(tone); button->styleSheet() != wanted) button->setStyleSheet(wanted);
    button->setEnabled(enabled);
    button->setVisible(true);
  };
  if (findings_.empty()) {
    put(buttons_[0], waiting_ ? tr("Waiting for the first frames") : tr("✓ Nothing is wrong"), {},
        waiting_ ? Tone::kAbsent : Tone::kGood, false);
    shown = 1;
  }
  for (; shown < std::min<std::size_t>(findings_.size(), kMost); ++shown) {
    const observer::Finding& finding = findings_[shown];
    QString text = text_of(finding);
    int wanted = metrics.horizontalAdvance(text) + kPadding;
    if (shown > 0 && wanted > room) break;
    if (wanted > room) text = metrics.elidedText(text, Qt::ElideRight, std::max(room - kPadding, 40));
    put(buttons_[shown], text, QString::fromStdString(finding.text + "\n" + finding.advice),
        tone_of(finding.severity), true);
    targets_[shown] = {finding.rank, finding.peer};
    room -= wanted + layout_->spacing();
  }
  for (std::size_t k = shown; k < buttons_.size(); ++k)
    buttons_[k]->setVisible(false);
  const auto hidden = findings_.size() - std::min(findings_.size(), shown);
  more_->setVisible(hidden > 0);
  if (hidden > 0) {
    more_->setText(tr("+%1 more").arg(hidden));
    if (const QString wanted = style(tone_of(findings_[shown].severity)); more_->styleSheet() != wanted)
      more_->setStyleSheet(wanted);
  }
}

void DiagnosisPanel::show_more() {
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  // The worst come first; a menu higher than the screen helps nobody, and the table has a filter.
  const std::size_t listed = std::min(findings_.size(), kMostInMenu);
  for (std::size_t k = 0; k < listed; ++k) {
    const observer::Finding& finding = findings_[k];
    const int rank = finding.rank;
    const int peer = finding.peer;
    menu->addAction(text_of(finding), this, [this, rank, peer] { Q_EMIT finding_picked(rank, peer); });
  }
  if (listed < findings_.size())
    menu->addAction(tr("and %1 more").arg(findings_.size() - listed))->setEnabled(false);
  menu->popup(more_->mapToGlobal(QPoint(0, more_->height())));
}

std::vector<QString> DiagnosisPanel::shown_texts() const {
  std::vector<QString> texts;
  for (const QPushButton* button : buttons_) {
    if (!button->isHidden()) texts.push_back(button->text());
  }
  return texts;
}

void DiagnosisPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  arrange();
}

}  // namespace duet::dashboard
