// Draws reports of duet-sim: duet-plot --out curves.svg baseline.json a2cid2.json

#include <CLI/CLI.hpp>
#include <QGuiApplication>
#include <QPainter>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "dashboard/plot/plot_painter.h"
#include "dashboard/window/picture.h"
#include "duet/version.h"
#include "report_curves.h"

namespace {

constexpr int kUsage = 2;

int complain(const std::string& text, int code) {
  std::fprintf(stderr, "duet-plot: %s\n", text.c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace duet;
  std::vector<std::string> reports;
  std::string out, theme = "light", along = "seconds";
  int width = 900, height = 420;
  CLI::App app{"Draws the curves of duet-sim's reports (--report FILE.json), each report in a colour.",
               "duet-plot"};
  app.set_version_flag("--version", DUET_VERSION_STRING);
  app.add_option("reports", reports, "Of the same command, gossip or train")->required();
  app.add_option("--out", out, "FILE.svg or FILE.png")->required();
  app.add_option("--over", along, "seconds (of virtual time, which are steps) or meetings")
      ->check(CLI::IsMember({"seconds", "meetings"}))
      ->capture_default_str();
  app.add_option("--theme", theme, "light or dark")
      ->check(CLI::IsMember({"light", "dark"}))
      ->capture_default_str();
  app.add_option("--width", width, "Pixels")->check(CLI::Range(200, 16384))->capture_default_str();
  app.add_option("--height", height, "Of each plot")->check(CLI::Range(150, 8192))->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain(std::string(error.what()) + "; see --help", kUsage);
  }
  // It never has a window; Qt wants a platform all the same, for its fonts.
  qputenv("QT_QPA_PLATFORM", "offscreen");
  QGuiApplication application(argc, argv);
  try {
    const dashboard::Theme colours = theme == "dark" ? dashboard::Theme::dark() : dashboard::Theme::light();
    plot::ReportCurves curves(colours, along);
    for (const std::string& report : reports)
      curves.add(report);
    const dashboard::PlotPainter plots(colours, QGuiApplication::font());
    const auto count = static_cast<int>(curves.contents().size());
    const auto draw = [&](QPainter& painter, const QRect& rect) {
      for (int k = 0; k < count; ++k) {
        const dashboard::PlotContent& content = curves.contents()[static_cast<std::size_t>(k)];
        plots.paint(painter, QRect(rect.left(), rect.top() + k * height, rect.width(), height), content,
                    curves.frame(content));
      }
    };
    QString problem;
    if (!dashboard::save_picture(QString::fromStdString(out), QSize(width, count * height), draw, &problem))
      return complain(problem.toStdString(), 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
  return 0;
}
