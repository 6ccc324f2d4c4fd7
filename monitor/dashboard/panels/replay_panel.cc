#include "dashboard/panels/replay_panel.h"

#include <QHBoxLayout>
#include <QSignalBlocker>
#include <array>
#include <cmath>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

namespace {
constexpr int kSteps = 10000;  ///< of the slider
constexpr std::array kSpeeds{0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0};
}  // namespace

ReplayPanel::ReplayPanel(QWidget* parent)
    : QWidget(parent),
      play_(new QToolButton(this)),
      slider_(new QSlider(Qt::Horizontal, this)),
      position_(new QLabel(this)),
      speed_(new QComboBox(this)),
      note_(new ElidedLabel(this)) {
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 3, 8, 3);
  play_->setMinimumWidth(34);
  play_->setToolTip(tr("Play or pause (Space)"));
  play_->setAccessibleName(tr("Play or pause"));
  slider_->setRange(0, kSteps);
  slider_->setPageStep(kSteps / 20);
  slider_->setSingleStep(kSteps / 200);
  slider_->setAccessibleName(tr("Position"));
  for (const double speed : kSpeeds)
    speed_->addItem(QStringLiteral("%1×").arg(speed), speed);
  speed_->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
  speed_->setToolTip(tr("Speed"));
  speed_->setAccessibleName(tr("Speed"));
  layout->addWidget(play_);
  layout->addWidget(slider_, 2);
  layout->addWidget(position_);
  layout->addWidget(speed_);
  layout->addWidget(note_, 1);
  connect(play_, &QToolButton::clicked, this, &ReplayPanel::toggle);
  // While it is dragged the slider says where it would go; it goes there when it is let go of, or at a key.
  connect(slider_, &QSlider::sliderReleased, this, &ReplayPanel::seek);
  connect(slider_, &QSlider::sliderMoved, this, [this] { refresh(note_->text()); });
  connect(slider_, &QSlider::actionTriggered, this, [this](int action) {
    if (action != QAbstractSlider::SliderMove)
      QMetaObject::invokeMethod(
          this, [this] { seek(); }, Qt::QueuedConnection);
  });
  connect(speed_, &QComboBox::activated, this, [this] {
    if (playback_ != nullptr) playback_->set_speed(speed_->currentData().toDouble());
  });
  set_playback(nullptr);
}

void ReplayPanel::set_playback(observer::Playback* playback) {
  playback_ = playback;
  setVisible(playback != nullptr);
  refresh({});
}

bool ReplayPanel::moving() const {
  return playback_->playing() && playback_->position() < playback_->end();
}

void ReplayPanel::toggle() {
  if (playback_ == nullptr) return;
  if (moving()) {
    playback_->pause();
  } else {
    playback_->play();
  }
  refresh(note_->text());
}

void ReplayPanel::faster() {
  if (playback_ == nullptr) return;
  for (const double speed : kSpeeds) {
    if (speed > playback_->speed() * 1.001) return playback_->set_speed(speed), refresh(note_->text());
  }
}

void ReplayPanel::slower() {
  if (playback_ == nullptr) return;
  for (auto speed = kSpeeds.rbegin(); speed != kSpeeds.rend(); ++speed) {
    if (*speed < playback_->speed() * 0.999) return playback_->set_speed(*speed), refresh(note_->text());
  }
}

void ReplayPanel::seek() {
  if (playback_ == nullptr || !playback_->can_seek()) return;
  const double length = playback_->end() - playback_->begin();
  if (!std::isfinite(length)) return;
  playback_->seek(playback_->begin() + length * slider_->value() / kSteps);
  refresh(note_->text());
}

void ReplayPanel::refresh(const QString& note) {
  if (playback_ == nullptr) return;
  play_->setText(moving() ? QStringLiteral("❚❚") : QStringLiteral("▶"));
  const double begin = playback_->begin();
  const double length = playback_->end() - begin;
  const bool bounded = std::isfinite(length);
  // While the slider is dragged: where it would go.
  const double at = bounded && slider_->isSliderDown() ? length * slider_->sliderPosition() / kSteps
                                                       : playback_->position() - begin;
  slider_->setVisible(playback_->can_seek() && bounded);
  if (bounded && length > 0 && !slider_->isSliderDown()) {
    const QSignalBlocker quiet(slider_);
    slider_->setValue(static_cast<int>(std::lround(at / length * kSteps)));
  }
  position_->setText(bounded ? QStringLiteral("%1 / %2").arg(time_text(at), time_text(length))
                             : time_text(at));
  const QSignalBlocker quiet(speed_);
  int nearest = 0;
  for (int k = 1; k < static_cast<int>(kSpeeds.size()); ++k) {
    const auto distance = [&](int index) {
      return std::abs(std::log(kSpeeds[static_cast<std::size_t>(index)] / playback_->speed()));
    };
    if (distance(k) < distance(nearest)) nearest = k;
  }
  speed_->setCurrentIndex(nearest);
  note_->setText(note);
  note_->setVisible(!note.isEmpty());
}

}  // namespace duet::dashboard
