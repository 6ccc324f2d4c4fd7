#include "once.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "report.h"
#include "view.h"

namespace duet::top {
namespace {

using observer::Observer;
using observer::Snapshot;
using observer::Worker;

constexpr double kDemoAt = 30.0;
constexpr double kStep = 0.1;  ///< of virtual time
constexpr std::size_t kColumnsUnlessSaid = 110;

/// A rate over the first two frames says little.
constexpr double kLongEnough = 2.0;

// Everyone whom the roster names is heard, long enough to have a pace.
bool complete(const Snapshot& snapshot) {
  return !snapshot.workers.empty() && snapshot.run.world_size > 0 &&
         std::all_of(snapshot.workers.begin(), snapshot.workers.end(), [&](const Worker& worker) {
           const double heard = snapshot.time - worker.first_heard.value_or(snapshot.time);
           return (heard >= kLongEnough && worker.steps_per_second) ||
                  worker.state == observer::WorkerState::kGone ||
                  worker.state == observer::WorkerState::kFinished;
         });
}

void watch_live(Observer& observer, double least, double patience, History& history) {
  const auto start = std::chrono::steady_clock::now();
  const auto until = start + std::chrono::duration<double>(std::clamp(least, 0.0, 1e6));
  const auto deadline =
      std::max(until, start + std::chrono::duration<double>(std::clamp(patience, 0.0, 1e6)));
  do {
    for (const auto& sample : observer.poll().consensus)
      history.add(sample);
    if (std::chrono::steady_clock::now() >= until && complete(observer.snapshot())) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < deadline);
}

// In virtual time: at once.
void watch_played(Observer& observer, double seconds, History& history) {
  const double speed = observer.playback()->speed();
  double now = 0.0;
  for (;;) {
    const observer::Update& update = observer.poll(now);
    for (const auto& sample : update.consensus)
      history.add(sample);
    if (update.more) continue;
    const bool ended = observer.status().state == observer::SourceState::kEnded;
    if (ended || observer.playback()->position() - observer.playback()->begin() >= seconds) return;
    now += kStep / speed;
  }
}

std::size_t columns() {
  const char* const said = std::getenv("COLUMNS");
  const long number = said == nullptr ? 0 : std::strtol(said, nullptr, 10);
  return number > 0 && number < 10000 ? static_cast<std::size_t>(number) : kColumnsUnlessSaid;
}

void print_picture(const Observer& observer, const History& history) {
  View view;
  view.selected = -1;
  const observer::SourceStatus status = observer.status();
  const std::size_t rows = observer.snapshot().workers.size() + 14;
  std::vector<Line> lines = paint({observer.snapshot(), status, history, ""}, view, columns(), rows);
  lines.pop_back();  // the bar with the keys
  std::string text;
  for (const Line& line : lines) {
    std::string whole;
    for (const Span& span : line)
      whole += span.text;
    whole.erase(whole.find_last_not_of(' ') + 1);
    text += whole + "\n";
  }
  std::fputs(text.c_str(), stdout);
}

}  // namespace

int print_once(Observer& observer, const CommandLine& options) {
  History history;
  if (observer.playback() == nullptr) {
    watch_live(observer, options.at, options.patience, history);
  } else {
    const double until = options.at >= 0.0 ? options.at : options.demo ? kDemoAt : 1e300;
    watch_played(observer, until, history);
  }
  const Snapshot& snapshot = observer.snapshot();
  const bool heard = std::any_of(snapshot.workers.begin(), snapshot.workers.end(),
                                 [](const Worker& worker) { return worker.last_heard.has_value(); });
  if (!heard) {
    std::fprintf(stderr, "duet-top: no worker was heard within %.3g s: %s\n", options.patience,
                 observer.status().text.c_str());
    return 1;
  }
  if (options.json) {
    std::puts(json_report(snapshot, observer.status()).c_str());
  } else {
    print_picture(observer, history);
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace duet::top
