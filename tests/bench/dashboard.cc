// What a frame of the dashboard costs: four plots with a line for every worker, sampled at 10 Hz, and the
// graph, as they are drawn at 1280 × 720, of as many points as the dashboard holds. CPU time, which a busy
// machine does not stretch as it stretches the clock's. Prints JSON; with --check it fails where a bound is
// missed.
#include <QApplication>
#include <QImage>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <deque>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "dashboard/data/series_store.h"
#include "dashboard/graph/graph_layout.h"
#include "dashboard/graph/graph_painter.h"
#include "dashboard/plot/plot_painter.h"

namespace duet::dashboard {
namespace {

constexpr double kRate = 10.0;  ///< samples per second
constexpr int kPlots = 4;
constexpr QSize kPlot(700, 140);
constexpr int kRounds = 15;

struct Bound {
  int workers;
  double window;  ///< seconds on the screen
  double most;    ///< ms
  bool lines =
      true;  ///< one of each worker; else mean and band, as from 33 workers on when nobody asks for more
};
constexpr Bound kBounds[] = {{64, 120, 30},   {64, 300, 30},    {64, 3600, 30},
                             {256, 120, 100}, {256, 3600, 100}, {1024, 3600, 100, false}};

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) * 1e-6;
}

/// A noisy walk, as losses and distances are.
void fill(Series& series, double seconds, std::uint64_t seed) {
  double value = 1.0 + double(seed % 97) / 97;
  for (double time = 0; time < seconds; time += 1 / kRate) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    value += (double(seed >> 40) / double(1 << 24) - 0.5) * 0.05;
    series.append(time, std::abs(value) + 0.01);
  }
}

nlohmann::json measure(const Bound& bound) {
  const Theme theme = Theme::light();
  std::deque<Series> series;
  std::vector<PlotContent> contents(kPlots);
  for (int plot = 0; plot < kPlots; ++plot) {
    contents[static_cast<std::size_t>(plot)].scale = plot == 0 ? ScaleKind::kLog : ScaleKind::kLinear;
    const int lines = bound.lines ? bound.workers : 3;
    for (int rank = 0; rank < lines; ++rank) {
      // As the store shares its points out.
      series.emplace_back(StoreOptions{}.most_points / static_cast<std::size_t>(kPlots * bound.workers));
      fill(series.back(), bound.window, static_cast<std::uint64_t>(plot * 1000 + rank));
      contents[static_cast<std::size_t>(plot)].curves.push_back(
          {&series.back(), theme.rank(rank), QString::number(rank)});
    }
    if (!bound.lines) {
      std::vector<Curve>& curves = contents[static_cast<std::size_t>(plot)].curves;
      contents[static_cast<std::size_t>(plot)].bands.push_back(
          {curves[1].series, curves[2].series, theme.rank(0), QStringLiteral("all workers")});
      curves.resize(1);
    }
  }
  GraphScene scene;
  const auto places = layout_graph({bound.workers, "ring", {}});
  for (int rank = 0; rank < bound.workers; ++rank) {
    scene.nodes.push_back(
        {.place = places[static_cast<std::size_t>(rank)], .state = observer::WorkerState::kRunning});
    scene.edges.push_back(
        {.a = rank, .b = (rank + 1) % bound.workers, .rate = 1.0, .age = 0.5, .pulse = 0.5});
  }
  scene.largest_rate = 1.0;

  QImage image(1280, 720, QImage::Format_RGB32);
  QPainter painter(&image);
  const PlotPainter plots(theme, QFont());
  const GraphPainter graph(theme, QFont());
  std::size_t points = 0;
  for (const Series& one : series)
    points += one.size();
  std::vector<double> frames;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = cpu_ms();
    for (int plot = 0; plot < kPlots; ++plot) {
      const PlotContent& content = contents[static_cast<std::size_t>(plot)];
      const TimeRange time{0, bound.window};
      plots.paint(painter, QRect({0, plot * kPlot.height()}, kPlot), content,
                  {time, fitting_values(content, time)});
    }
    graph.paint(painter, QRectF(700, 0, 580, 400), scene, {});
    frames.push_back(cpu_ms() - begin);
  }
  std::sort(frames.begin(), frames.end());
  return {{"workers", bound.workers},
          {"series", series.size()},
          {"window_seconds", bound.window},
          {"points", points},
          {"frame_ms", frames[frames.size() / 2]},
          {"most_ms", bound.most}};
}

}  // namespace
}  // namespace duet::dashboard

int main(int argc, char** argv) {
  qputenv("QT_QPA_PLATFORM", "offscreen");
  qputenv("QT_SCALE_FACTOR", "1");
  const QApplication application(argc, argv);
  const bool check = argc > 1 && std::strcmp(argv[1], "--check") == 0;
  nlohmann::json all = nlohmann::json::array();
  bool good = true;
  for (const auto& bound : duet::dashboard::kBounds) {
    all.push_back(duet::dashboard::measure(bound));
    good = good && all.back()["frame_ms"] <= all.back()["most_ms"];
  }
  std::cout << all.dump(2) << '\n';
  if (!check || good) return 0;
  std::cerr << "a frame takes longer than it may\n";
  return 1;
}
