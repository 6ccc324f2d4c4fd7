#pragma once

#include <QComboBox>
#include <QLabel>
#include <QSlider>
#include <QToolButton>
#include <QWidget>

#include "dashboard/panels/elided_label.h"
#include "duet/observer/source.h"

namespace duet::dashboard {

/// Plays a recording (or the demo): play and pause, a slider where one can seek, speed from 0.1 to 100.
class ReplayPanel : public QWidget {
  Q_OBJECT

 public:
  explicit ReplayPanel(QWidget* parent = nullptr);
  /// nullptr: nothing to play. Must live until the next call.
  void set_playback(observer::Playback* playback);
  /// Position and state, as they are now; `note`: what the source has to say (where a file breaks off).
  void refresh(const QString& note);
  bool available() const { return playback_ != nullptr; }
  QSlider& slider() { return *slider_; }
  QComboBox& speed() { return *speed_; }
  QToolButton& play_button() { return *play_; }
  QString position_text() const { return position_->text(); }
  QString note() const { return note_->text(); }

 public Q_SLOTS:
  void toggle();
  void faster();
  void slower();

 private:
  void seek();
  /// A recording that has come to its end still "plays"; for whoever looks it stands, and starts again.
  bool moving() const;

  observer::Playback* playback_ = nullptr;
  QToolButton* play_;
  QSlider* slider_;
  QLabel* position_;
  QComboBox* speed_;
  ElidedLabel* note_;
};

}  // namespace duet::dashboard
