// duet-dashboard's window on a run, on whatever screen there is, and five times a second a line of JSON about
// what it shows: test_live.py looks on while workers are taken away. `watch_live ADDRESS PICTURE`; ends when
// its input does, and leaves a picture then.

#include <unistd.h>
#include <QApplication>
#include <QElapsedTimer>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSocketNotifier>
#include <QStyleFactory>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <cstdio>

#include "dashboard/window/main_window.h"

namespace {

using duet::dashboard::MainWindow;
using duet::dashboard::PlotsPanel;
using duet::dashboard::RunSession;
using duet::dashboard::WorkerModel;

constexpr int kBeat = 10;   ///< ms, of the event loop's pulse
constexpr int kTell = 200;  ///< ms between two lines

/// How long the event loop did not come round: what a person feels as a window that hangs.
class Pulse {
 public:
  Pulse() {
    QObject::connect(&timer_, &QTimer::timeout, [this] { longest_ = std::max(longest_, clock_.restart()); });
    clock_.start();
    timer_.start(kBeat);
  }
  qint64 take_longest() { return std::exchange(longest_, 0); }

 private:
  QTimer timer_;
  QElapsedTimer clock_;
  qint64 longest_ = 0;
};

QJsonObject seen(const RunSession& session, MainWindow& window) {
  QJsonArray states;
  for (int row = 0; row < session.workers.rowCount(); ++row)
    states.append(session.workers.index(row, WorkerModel::kState).data().toString());
  QJsonArray strip;
  for (const QString& text : window.diagnosis().shown_texts())
    strip.append(text);
  QJsonArray curves;
  for (const auto name : {PlotsPanel::kConsensus, PlotsPanel::kLoss, PlotsPanel::kPairings}) {
    qint64 samples = 0;
    for (const auto& curve : window.plots().plot(name).content().curves)
      samples += static_cast<qint64>(curve.series->size());
    curves.append(samples);
  }
  return {{"states", states},
          {"strip", strip},
          {"samples", curves},
          {"meetings_per_second", window.graph().graph().scene().largest_rate},
          {"status", window.status_text()}};
}

}  // namespace

int main(int argc, char** argv) {
  const QTemporaryDir settings_folder;
  qputenv("XDG_CONFIG_HOME", settings_folder.path().toLocal8Bit());
  const QApplication application(argc, argv);
  if (argc != 3) {
    std::fputs("watch_live ADDRESS PICTURE\n", stderr);
    return 2;
  }
  QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
  duet::dashboard::Settings settings(settings_folder.filePath(QStringLiteral("settings.ini")));
  RunSession session(duet::dashboard::Theme::light());
  MainWindow window(session, settings, QApplication::palette());
  window.resize(1280, 720);
  window.show();
  window.restore_layout();
  if (!window.connect_to(QString::fromLocal8Bit(argv[1]), QString())) return 2;

  Pulse pulse;
  QTimer tell;
  QObject::connect(&tell, &QTimer::timeout, [&] {
    QJsonObject line = seen(session, window);
    line["longest_turn_ms"] = pulse.take_longest();
    std::puts(QJsonDocument(line).toJson(QJsonDocument::Compact).constData());
    std::fflush(stdout);
  });
  tell.start(kTell);
  QSocketNotifier input(STDIN_FILENO, QSocketNotifier::Read);
  QObject::connect(&input, &QSocketNotifier::activated, [] {
    char byte = 0;
    if (::read(STDIN_FILENO, &byte, 1) <= 0) QApplication::quit();
  });
  const int code = QApplication::exec();
  return window.grab().save(QString::fromLocal8Bit(argv[2])) ? code : 1;
}
