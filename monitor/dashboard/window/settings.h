#pragma once

#include <QByteArray>
#include <QSettings>
#include <QString>
#include <QStringList>

#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// What is remembered between two runs of the program. Handed to whoever needs it; nothing is global.
class Settings {
 public:
  /// duet/dashboard.ini in the user's configuration folder (XDG_CONFIG_HOME).
  Settings();
  explicit Settings(const QString& path);

  ThemeChoice theme() const;
  void set_theme(ThemeChoice choice);
  double window_seconds() const;
  void set_window_seconds(double seconds);
  /// The newest first, each once, at most kMostRecent.
  QStringList recent_addresses() const;
  void add_recent_address(const QString& address);
  QByteArray geometry() const;
  QByteArray docks() const;
  QByteArray plots() const;
  void set_layout(const QByteArray& geometry, const QByteArray& docks, const QByteArray& plots);
  void forget_layout();

  static constexpr int kMostRecent = 8;

 private:
  mutable QSettings store_;
};

}  // namespace duet::dashboard
