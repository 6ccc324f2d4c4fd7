#include "dashboard/window/command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "dashboard/data/time_view.h"
#include "duet/version.h"

namespace duet::dashboard {

namespace {

constexpr int kUsage = 2;

std::optional<QSize> parse_size(const std::string& text) {
  const auto times = text.find('x');
  if (times == std::string::npos) return std::nullopt;
  int width = 0;
  int height = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto first = std::from_chars(begin, begin + times, width);
  const auto second = std::from_chars(begin + times + 1, end, height);
  if (first.ec != std::errc() || first.ptr != begin + times || second.ec != std::errc() || second.ptr != end)
    return std::nullopt;
  if (width < 720 || height < 480 || width > 16384 || height > 16384) return std::nullopt;
  return QSize(width, height);
}

}  // namespace

CommandLineResult parse_command_line(int argc, const char* const* argv) {
  CommandLineResult result;
  CommandLine& options = result.options;
  CLI::App app{
      "Watches a decentralised training: whether the workers agree, who meets whom, who is in trouble.",
      "duet-dashboard"};
  app.set_version_flag("--version", std::string("duet-dashboard ") + DUET_VERSION_STRING);
  app.footer(
      "Without a source it opens a window and asks. DUET_SECRET holds the run's secret, where it has one.\n"
      "duet-dashboard --demo is the quickest look.");
  std::string size;
  std::string theme;
  double window = 0.0;
  auto* connect =
      app.add_option("--connect", options.connect, "Watch a run: HOST[:PORT] of any one worker's telemetry");
  auto* open = app.add_option("--open", options.open, "Play a recording");
  auto* demo = app.add_flag("--demo", options.demo, "Synthetic workers; nothing else is needed");
  connect->excludes(open)->excludes(demo);
  open->excludes(demo);
  app.add_option("--demo-workers", options.demo_options.workers, "How many the demo has")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--demo-graph", options.demo_options.graph, "The demo's graph, as duet-info takes it")
      ->capture_default_str();
  app.add_option("--demo-seed", options.demo_options.seed, "The same seed, the same demo")
      ->capture_default_str();
  app.add_option("--record", options.record, "Write every frame to FILE, to be played with --open");
  app.add_flag("--overwrite", options.overwrite, "--record may replace a file");
  app.add_option("--buffer-seconds", options.buffer_seconds, "How much of the past is held")
      ->check(CLI::Range(10.0, 604800.0))
      ->capture_default_str();
  auto* window_option = app.add_option("--window", window, "Seconds that the plots show while live")
                            ->check(CLI::Range(TimeView::kShortestWindow, TimeView::kLongestWindow));
  auto* theme_option = app.add_option("--theme", theme, "light, dark or system")
                           ->check(CLI::IsMember({"light", "dark", "system"}));
  auto* size_option = app.add_option("--size", size, "WIDTHxHEIGHT of the window, 720x480 or more");
  app.add_option("--screenshot", options.screenshot,
                 "Write a picture of the window (PNG) and end; needs no display");
  app.add_option("--export", options.export_csv, "Write what the plots show (CSV) and end; needs no display");
  app.add_option("--after", options.after, "Seconds of the run until --screenshot or --export")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();

  const auto refuse = [&result](const std::string& text) {
    result.exit_code = kUsage;
    result.text = "duet-dashboard: " + text + "\n";
    return result;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream problem;
    const int code = app.exit(error, out, problem);
    result.exit_code = code == 0 ? 0 : kUsage;
    result.text = out.str() + problem.str();
    return result;
  }
  if (!options.connect.empty()) {
    std::string reason;
    const auto address = observer::parse_address(options.connect, &reason);
    if (!address) return refuse("--connect " + options.connect + ": " + reason);
    options.connect = address->text();
  }
  if (size_option->count() > 0) {
    const auto parsed = parse_size(size);
    if (!parsed)
      return refuse("--size " + size + ": give WIDTHxHEIGHT in pixels, 720x480 to 16384x16384, as 1280x720");
    options.size = *parsed;
    options.size_given = true;
  }
  // Comparisons with a number that is none pass every range.
  if (!std::isfinite(options.after) || !std::isfinite(options.buffer_seconds) || !std::isfinite(window))
    return refuse("--after, --window and --buffer-seconds are numbers of seconds");
  constexpr std::string_view kPicture = ".png";
  if (!options.screenshot.empty() && !std::string_view(options.screenshot).ends_with(kPicture))
    return refuse("--screenshot " + options.screenshot + ": the name must end in .png");
  if (window_option->count() > 0) options.window_seconds = window;
  if (theme_option->count() > 0) options.theme = parse_theme(QString::fromStdString(theme));
  if (options.headless() && !options.demo && options.open.empty() && options.connect.empty()) {
    return refuse("--screenshot and --export need a source: --demo, --open FILE or --connect HOST:PORT");
  }
  if (!options.record.empty() && !options.open.empty())
    return refuse("--record and --open: a recording is there already");
  if (const char* secret = std::getenv("DUET_SECRET")) options.secret = secret;
  return result;
}

}  // namespace duet::dashboard
