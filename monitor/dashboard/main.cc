#include <QApplication>
#include <QIcon>
#include <QStyleFactory>
#include <cstdio>
#include <exception>

#include "dashboard/window/command_line.h"
#include "dashboard/window/headless.h"
#include "dashboard/window/main_window.h"

namespace {

int complain(const QString& text) {
  std::fprintf(stderr, "duet-dashboard: %s\n", qPrintable(text));
  return 1;
}

/// Qt itself would end the program with SIGABRT.
bool somewhere_to_show() {
  return qEnvironmentVariableIsSet("QT_QPA_PLATFORM") || !qEnvironmentVariableIsEmpty("DISPLAY") ||
         !qEnvironmentVariableIsEmpty("WAYLAND_DISPLAY");
}

int run(const duet::dashboard::CommandLine& asked, int argc, char** argv) {
  using namespace duet::dashboard;
  CommandLine options = asked;
  if (options.headless() && !qEnvironmentVariableIsSet("QT_QPA_PLATFORM"))
    qputenv("QT_QPA_PLATFORM", "offscreen");
  if (!options.headless() && !somewhere_to_show()) {
    return complain(
        QStringLiteral("there is no display here (DISPLAY, WAYLAND_DISPLAY): --screenshot and --export need "
                       "none, and duet-top watches in a terminal"));
  }
  QApplication application(argc, argv);
  QApplication::setApplicationName(QStringLiteral("duet-dashboard"));
  QApplication::setDesktopFileName(QStringLiteral("duet-dashboard"));
  QApplication::setWindowIcon(QIcon(QStringLiteral(":/duet/dashboard.svg")));
  // The one style that follows a palette everywhere.
  QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
  const QPalette system = QApplication::palette();

  Settings settings;
  RunSession session(Theme::choose(options.theme.value_or(settings.theme()), system),
                     {.buffer_seconds = options.buffer_seconds});
  MainWindow window(session, settings, system);
  if (options.theme) window.set_theme(*options.theme);
  if (options.window_seconds) session.view.set_window(*options.window_seconds);
  if (options.headless()) {
    QString problem;
    const int code = run_headless(options, session, window, &problem);
    return code == 0 ? 0 : complain(problem);
  }
  options.demo_options.warm_up = MainWindow::kDemoWarmUp;
  if (auto source = make_source(options)) {
    session.open(std::move(source));
    if (!options.connect.empty()) settings.add_recent_address(QString::fromStdString(options.connect));
  }
  window.resize(options.size);
  window.show();
  window.restore_layout();
  if (options.size_given) window.resize(options.size);
  if (!options.record.empty() &&
      !window.start_recording(QString::fromStdString(options.record), options.overwrite)) {
    return complain(QStringLiteral("cannot record to %1").arg(QString::fromStdString(options.record)));
  }
  return QApplication::exec();
}

}  // namespace

int main(int argc, char** argv) {
  const duet::dashboard::CommandLineResult parsed = duet::dashboard::parse_command_line(argc, argv);
  if (parsed.exit_code) {
    std::fputs(parsed.text.c_str(), *parsed.exit_code == 0 ? stdout : stderr);
    return *parsed.exit_code;
  }
  try {
    return run(parsed.options, argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "duet-dashboard: %s\n", error.what());
    return 1;
  }
}
