#include "dashboard/window/settings.h"

#include "dashboard/data/time_view.h"

namespace duet::dashboard {

namespace {
/// Another number when the docks are others: what was saved for those would put these into disorder.
const QString kLayout = QStringLiteral("layout1");
}  // namespace

Settings::Settings()
    : store_(QSettings::IniFormat, QSettings::UserScope, QStringLiteral("duet"),
             QStringLiteral("dashboard")) {}
Settings::Settings(const QString& path) : store_(path, QSettings::IniFormat) {}

ThemeChoice Settings::theme() const {
  return parse_theme(store_.value(QStringLiteral("theme")).toString()).value_or(ThemeChoice::kSystem);
}
void Settings::set_theme(ThemeChoice choice) {
  store_.setValue(QStringLiteral("theme"), to_string(choice));
}

double Settings::window_seconds() const {
  bool good = false;
  const double seconds = store_.value(QStringLiteral("window_seconds")).toDouble(&good);
  return good && seconds >= TimeView::kShortestWindow && seconds <= TimeView::kLongestWindow
             ? seconds
             : TimeView::kDefaultWindow;
}
void Settings::set_window_seconds(double seconds) {
  store_.setValue(QStringLiteral("window_seconds"), seconds);
}

QStringList Settings::recent_addresses() const {
  return store_.value(QStringLiteral("recent")).toStringList().mid(0, kMostRecent);
}

void Settings::add_recent_address(const QString& address) {
  QStringList recent = recent_addresses();
  recent.removeAll(address);
  recent.prepend(address);
  store_.setValue(QStringLiteral("recent"), recent.mid(0, kMostRecent));
}

QByteArray Settings::geometry() const {
  return store_.value(kLayout + "/geometry").toByteArray();
}
QByteArray Settings::docks() const {
  return store_.value(kLayout + "/docks").toByteArray();
}
QByteArray Settings::plots() const {
  return store_.value(kLayout + "/plots").toByteArray();
}

void Settings::set_layout(const QByteArray& geometry, const QByteArray& docks, const QByteArray& plots) {
  store_.setValue(kLayout + "/geometry", geometry);
  store_.setValue(kLayout + "/docks", docks);
  store_.setValue(kLayout + "/plots", plots);
}

void Settings::forget_layout() {
  store_.remove(kLayout);
}

}  // namespace duet::dashboard
