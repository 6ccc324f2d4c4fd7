#include "dashboard/window/headless.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QTimer>

#include "dashboard/window/csv_table.h"
#include "dashboard/window/picture.h"

namespace duet::dashboard {

namespace {

constexpr double kStep = 0.1;  ///< seconds of the run between two drains
constexpr int kFailed = 1;

/// Whatever was asked to be laid out, repainted or answered later is done.
void settle() {
  for (int round = 0; round < 5; ++round) {
    QApplication::sendPostedEvents();
    QApplication::processEvents();
  }
}

void run_for(double seconds) {
  QEventLoop loop;
  QTimer::singleShot(static_cast<int>(seconds * 1000), &loop, &QEventLoop::quit);
  loop.exec();
}

}  // namespace

std::unique_ptr<observer::Source> make_source(const CommandLine& options) {
  if (!options.connect.empty()) {
    observer::LiveOptions live;
    live.address = options.connect;
    live.secret = options.secret;
    return observer::make_live_source(live);
  }
  if (!options.open.empty()) return observer::make_replay_source(options.open);
  if (options.demo) return observer::make_demo_source(options.demo_options);
  return nullptr;
}

int run_headless(const CommandLine& options, RunSession& session, MainWindow& window, QString* problem) {
  const bool live = !options.connect.empty();
  session.open(make_source(options), live);
  if (!options.record.empty() &&
      !session.feed().start_recording(QString::fromStdString(options.record), options.overwrite, problem)) {
    return kFailed;
  }
  window.resize(options.size);
  window.show();
  settle();
  window.reset_layout();
  settle();
  if (live) {
    run_for(options.after);
  } else {
    const auto steps = static_cast<long>(options.after / kStep);
    for (long k = 0; k <= steps; ++k) {
      session.feed().poll_at(static_cast<double>(k) * kStep);
      if (session.feed().status().state == observer::SourceState::kEnded) break;
    }
  }
  settle();
  if (session.store.points() == 0) {
    const std::string text = session.feed().status().text;
    *problem = QStringLiteral("nothing was heard within %1 s%2")
                   .arg(options.after)
                   .arg(text.empty() ? QString() : QStringLiteral(": ") + QString::fromStdString(text));
    // The picture is written all the same: it shows what is wrong.
  }
  if (!options.screenshot.empty() &&
      !save_image(QString::fromStdString(options.screenshot), window.picture(), problem))
    return kFailed;
  if (!options.export_csv.empty() && !CsvTable(session.store, session.view.range())
                                          .save(QString::fromStdString(options.export_csv), problem)) {
    return kFailed;
  }
  return problem->isEmpty() ? 0 : kFailed;
}

}  // namespace duet::dashboard
