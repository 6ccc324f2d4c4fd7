#include <algorithm>
#include <string>
#include <utility>

#include "duet/version.h"
#include "view.h"

namespace duet::top {
namespace {

using observer::Severity;
using observer::Snapshot;

constexpr std::size_t kHeadLines = 4;
constexpr std::size_t kPanelLines = 7;
constexpr std::size_t kLeastForPanel = 16;  ///< rows of the screen

Line title(const Picture& picture, const View& view, std::size_t columns) {
  const observer::SourceStatus& status = picture.status;
  std::string left = std::string(" duet-top ") + DUET_VERSION_STRING + "  " + harmless(status.name) + "  ";
  std::string state = observer::to_string(status.state);
  if (status.retry_in) state += ", next try in " + age(status.retry_in);
  Style style = Style::kGood;
  if (status.state == observer::SourceState::kReconnecting ||
      status.state == observer::SourceState::kConnecting)
    style = Style::kWarning;
  if (view.paused) state += ", picture paused";
  if (!picture.note.empty()) state += ", " + harmless(picture.note);
  const std::string time = clock(picture.snapshot.time) + " ";
  const std::size_t used = left.size() + state.size() + time.size();
  const std::string gap(columns > used ? columns - used : 1, ' ');
  return {{left, Style::kTitle}, {state, style}, {gap, Style::kTitle}, {time, Style::kTitle}};
}

Line about(const Snapshot& snapshot) {
  const observer::RunHeader& run = snapshot.run;
  if (run.algorithm.empty()) return {{" nothing is known of the run yet", Style::kDim}};
  Line line;
  const auto add = [&](const std::string& name, const std::string& value) {
    line.push_back({" " + name + " ", Style::kDim});
    line.push_back({harmless(value) + " ", Style::kNormal});
  };
  line.push_back({" " + harmless(run.algorithm) + " on " + harmless(run.graph) + " ", Style::kNormal});
  add("over", run.transport);
  add("rate", number(run.rate));
  add("chi1", number(run.chi1));
  add("chi2", number(run.chi2));
  add("eta", number(run.eta));
  add("alpha~", number(run.alpha_tilde));
  add("epoch", std::to_string(run.epoch));
  return line;
}

Line totals(const Snapshot& snapshot) {
  const observer::RunHeader& run = snapshot.run;
  Line line;
  const auto add = [&](const std::string& name, const std::string& value, Style style = Style::kNormal) {
    line.push_back({" " + name + " ", Style::kDim});
    line.push_back({value + " ", style});
  };
  add("workers",
      std::to_string(run.members) + "/" + std::to_string(std::max<int>(run.world_size, run.members)),
      run.members < run.world_size ? Style::kWarning : Style::kNormal);
  if (run.components > 1) add("parts", std::to_string(run.components), Style::kBad);
  add("step/s", number(snapshot.steps_per_second));
  add("meet/s", number(snapshot.meetings_per_second));
  add("loss", number(snapshot.mean_loss));
  return line;
}

Line consensus(const Picture& picture, std::size_t columns) {
  const Snapshot& snapshot = picture.snapshot;
  Line line = {{" consensus distance ", Style::kDim}};
  if (snapshot.consensus) {
    line.push_back({number(snapshot.consensus->mean), Style::kNormal});
    line.push_back({" max ", Style::kDim});
    line.push_back(
        {number(snapshot.consensus->max) + " (" + std::to_string(snapshot.consensus->max_rank) + ")",
         Style::kNormal});
  } else {
    line.push_back({"-", Style::kNormal});
  }
  line.push_back({" ticks missing ", Style::kDim});
  line.push_back({std::to_string(snapshot.missed_ticks) + "  ", Style::kNormal});
  const std::size_t used = width(line);
  if (columns > used + 1) line.push_back({picture.history.bars(columns - used - 1), Style::kGood});
  return line;
}

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return Style::kBad;
    case Severity::kWarning:
      return Style::kWarning;
    case Severity::kInfo:
      break;
  }
  return Style::kNormal;
}

// What is wrong, then what happened, the newest first.
std::vector<Line> news(const Picture& picture, std::size_t most) {
  const Snapshot& snapshot = picture.snapshot;
  std::vector<Line> lines;
  for (const observer::Finding& finding : snapshot.findings) {
    if (lines.size() + 2 > most) break;
    lines.push_back({{" ! ", style_of(finding.severity)},
                     {age(snapshot.time - finding.since) + " ", Style::kDim},
                     {harmless(finding.text), style_of(finding.severity)},
                     {"  " + harmless(finding.advice), Style::kDim}});
  }
  if (snapshot.findings.empty() && !picture.status.text.empty())
    lines.push_back({{" " + harmless(picture.status.text), Style::kWarning}});
  for (auto event = snapshot.events.rbegin(); event != snapshot.events.rend() && lines.size() < most;
       ++event) {
    const std::string times = event->count > 1 ? " (" + count(event->count) + " times)" : "";
    lines.push_back({{" " + clock(event->time) + " ", Style::kDim},
                     {harmless(event->text) + times, style_of(event->severity)}});
  }
  return lines;
}

std::vector<Line> peers(const Snapshot& snapshot, int rank, std::size_t most) {
  const observer::Worker* const worker = snapshot.worker(rank);
  if (worker == nullptr) return {};
  std::vector<Line> lines = {
      {{" worker " + std::to_string(rank) + " ", Style::kTitle},
       {"pid " + std::to_string(worker->pid) + "  incarnation " + observer::short_text(worker->incarnation) +
            "  lives " + std::to_string(worker->lives) + "  telemetry " + harmless(worker->address) +
            "  lost frames " + count(worker->frames_lost),
        Style::kDim}}};
  for (const observer::PeerCounters& peer : worker->peers) {
    if (lines.size() >= most) break;
    std::optional<double> since;
    if (peer.last_pairing) since = snapshot.time - *peer.last_pairing;
    lines.push_back(
        {{" with " + fit(std::to_string(peer.rank), 4, true) + ": meetings " +
              fit(count(peer.pairings), 6, true) + "  broken " + fit(count(peer.pairing_failures), 5, true) +
              "  last " + fit(age(since), 5, true) + " ago  distance " + number(peer.last_distance),
          Style::kNormal}});
  }
  return lines;
}

std::vector<Line> help_lines() {
  std::vector<Line> lines = {
      {{" duet-top: the workers of a run, live", Style::kTitle}},
      {},
      {{" q F10        quit", Style::kNormal}},
      {{" arrows       choose a worker (also PgUp, PgDn, Home, End)", Style::kNormal}},
      {{" < > F6       sort by another column; I turns the order round", Style::kNormal}},
      {{" /            filter by rank, host or state; !text shows all others; Esc shows all",
        Style::kNormal}},
      {{" Tab Enter    below: what is wrong and what happened, or whom the chosen worker meets",
        Style::kNormal}},
      {{" p            the picture stands still; data goes on arriving", Style::kNormal}},
      {{" space + -    a recording or the demo: pause, faster, slower", Style::kNormal}},
      {{" h ? F1       this help; any key leaves it", Style::kNormal}},
      {},
  };
  for (int i = 0; i < kColumns; ++i) {
    const ColumnInfo& column = info(static_cast<Column>(i));
    lines.push_back(
        {{" " + fit(column.title, 8), Style::kHeader}, {std::string("    ") + column.help, Style::kNormal}});
  }
  return lines;
}

Line bar(const View& view) {
  if (view.editing)
    return {{" filter: " + view.filter + "_", Style::kSelected},
            {"  Enter: keep  Esc: show all", Style::kDim}};
  Line line;
  for (const auto& [key, what] :
       {std::pair("h", "Help"), std::pair("/", "Filter"), std::pair("<>", "Sort"), std::pair("Tab", "Peers"),
        std::pair("p", "Pause"), std::pair("q", "Quit")}) {
    line.push_back({std::string(" ") + key, Style::kTitle});
    line.push_back({std::string(" ") + what + " ", Style::kDim});
  }
  if (!view.filter.empty()) line.push_back({" filter: " + view.filter, Style::kWarning});
  return line;
}

}  // namespace

std::vector<Line> paint(const Picture& picture, View& view, std::size_t columns, std::size_t rows_of_screen) {
  std::vector<Line> lines;
  if (view.help) {
    lines = help_lines();
  } else {
    const Snapshot& snapshot = picture.snapshot;
    lines = {title(picture, view, columns), about(snapshot), totals(snapshot), consensus(picture, columns)};
    const std::size_t panel = rows_of_screen >= kLeastForPanel ? kPanelLines : 0;
    const std::size_t fixed = kHeadLines + 1 + panel + 1;
    view.page = rows_of_screen > fixed ? rows_of_screen - fixed : 0;

    const std::vector<Column> shown = shown_columns(columns, view.sorted_by);
    lines.push_back(table_head(shown, view.sorted_by, view.inverted));
    const std::vector<int> ranks = rows(snapshot, view.sorted_by, view.inverted, view.filter);
    const auto found = std::find(ranks.begin(), ranks.end(), view.selected);
    const auto at = static_cast<std::size_t>(found == ranks.end() ? 0 : found - ranks.begin());
    const std::size_t first = view.page > 0 ? at / view.page * view.page : 0;
    for (std::size_t row = first; row < std::min(ranks.size(), first + view.page); ++row) {
      const observer::Worker& worker = snapshot.workers[static_cast<std::size_t>(ranks[row])];
      lines.push_back(table_row(worker, shown, snapshot.time, row == at));
    }
    if (ranks.empty() && view.page > 0)
      lines.push_back(
          {{view.filter.empty() ? " no worker is known yet" : " no worker matches the filter", Style::kDim}});
    if (panel > 0) {
      lines.resize(kHeadLines + 1 + view.page);
      lines.push_back({{std::string(columns, '-'), Style::kDim}});
      const auto below =
          view.panel == Panel::kNews ? news(picture, panel - 1) : peers(snapshot, view.selected, panel - 1);
      lines.insert(lines.end(), below.begin(), below.end());
    }
    lines.resize(rows_of_screen > 0 ? rows_of_screen - 1 : 0);
    lines.push_back(bar(view));
  }
  lines.resize(rows_of_screen);
  for (Line& line : lines)
    line = cut(line, columns);
  return lines;
}

}  // namespace duet::top
