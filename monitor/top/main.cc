// duet-top: the workers of a run, live in a terminal.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>

#include "command_line.h"
#include "duet/error.h"
#include "duet/observer/observer.h"
#include "once.h"
#include "terminal.h"
#include "view.h"

namespace {

using duet::top::CommandLine;
using duet::top::Wish;

volatile std::sig_atomic_t ending = 0;

void end_soon(int /*signal*/) {
  ending = 1;
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = end_soon;  // without SA_RESTART: waiting for a key ends
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

constexpr double kRefresh = 0.1;  ///< seconds

std::string note(const duet::observer::Observer& observer, duet::observer::Playback* playback) {
  std::string text;
  if (playback != nullptr && playback->speed() != 1.0) text = duet::top::number(playback->speed()) + "x";
  if (const auto recording = observer.recording()) {
    if (!text.empty()) text += ", ";
    text += recording->problem.empty()
                ? "recording " + duet::top::bytes(static_cast<double>(recording->bytes)) + "B"
                : "recording failed";
  }
  return text;
}

int watch(duet::observer::Observer& observer, const CommandLine& options) {
  duet::top::Terminal terminal(options.colours);
  duet::top::View view;
  duet::top::History history;
  duet::observer::Snapshot shown;  // what the picture stands still at
  duet::observer::SourceStatus status;
  while (ending == 0) {
    const duet::observer::Update& update = observer.poll();
    if (update.restarted) history.clear();
    for (const auto& sample : update.consensus)
      history.add(sample);
    if (!view.paused) shown = observer.snapshot();
    status = observer.status();
    duet::observer::Playback* const playback = observer.playback();
    const std::size_t columns = terminal.columns(), rows = terminal.rows();
    terminal.draw(paint({shown, status, history, note(observer, playback)}, view, columns, rows));
    // A key is answered at once; those that wait already, before the next picture.
    duet::top::KeyPress key = terminal.read(update.more ? 0.0 : kRefresh);
    for (; key.key != duet::top::Key::kNone; key = terminal.read(0.0)) {
      switch (press(view, key, shown)) {
        case Wish::kQuit:
          return 0;
        case Wish::kPlayPause:
          if (playback != nullptr) playback->playing() ? playback->pause() : playback->play();
          break;
        case Wish::kFaster:
          if (playback != nullptr) playback->set_speed(2.0 * playback->speed());
          break;
        case Wish::kSlower:
          if (playback != nullptr) playback->set_speed(0.5 * playback->speed());
          break;
        case Wish::kNothing:
          break;
      }
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    int exit_code = 0;
    const auto options = duet::top::read_command_line(argc, argv, exit_code);
    if (!options) return exit_code;
    catch_signals();
    duet::observer::Observer observer(make_source(*options));
    if (!options->record.empty()) observer.start_recording(options->record, options->overwrite);
    return options->once ? print_once(observer, *options) : watch(observer, *options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "duet-top: %s\n", error.what());
    return 2;
  }
}
