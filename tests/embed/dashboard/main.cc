// An in-house Qt tool that shows Duet's plots: of the run at the address that it is given, or of synthetic
// workers. With a second argument it saves a picture after two seconds and ends.

#include <QApplication>
#include <QTimer>

#include <dashboard/data/run_session.h>
#include <dashboard/panels/plots_panel.h>
#include <duet/observer/source.h>

int main(int argc, char** argv) {
  const QApplication application(argc, argv);
  const QString address = argc > 1 ? QString::fromLocal8Bit(argv[1]) : QStringLiteral("demo");

  duet::dashboard::RunSession session(duet::dashboard::Theme::dark());
  duet::dashboard::PlotsPanel plots(session.store, session.view, session.selection,
                                    duet::dashboard::Theme::dark());
  QObject::connect(&session, &duet::dashboard::RunSession::updated, &plots,
                   [&plots](const auto& snapshot, const auto&) { plots.apply(snapshot); });
  session.open(address == QStringLiteral("demo")
                   ? duet::observer::make_demo_source({})
                   : duet::observer::make_live_source({.address = address.toStdString()}));
  plots.show();

  if (argc > 2) {
    QTimer::singleShot(2000, &plots, [&] {
      const bool saved = session.store.points() > 0 && plots.grab().save(QString::fromLocal8Bit(argv[2]));
      QApplication::exit(saved ? 0 : 1);
    });
  }
  return QApplication::exec();
}
