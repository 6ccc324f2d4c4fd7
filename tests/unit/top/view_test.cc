#include "view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "report.h"

namespace duet::top {
namespace {

using observer::Snapshot;
using observer::Worker;
using observer::WorkerState;
using testing::HasSubstr;
using testing::Not;

Snapshot sample(int workers) {
  Snapshot snapshot;
  snapshot.time = 1.7e9;
  snapshot.run.algorithm = "a2cid2";
  snapshot.run.graph = "ring";
  snapshot.run.transport = "libfabric";
  snapshot.run.world_size = snapshot.run.members = workers;
  snapshot.run.chi1 = 13.1371;
  for (int rank = 0; rank < workers; ++rank) {
    Worker worker;
    worker.rank = rank;
    worker.host = "node" + std::to_string(rank / 4);
    worker.state = WorkerState::kRunning;
    worker.counters.steps = static_cast<std::uint64_t>(1000 + rank);
    worker.steps_per_second = 5.0 + 0.1 * ((rank * 7) % workers);
    worker.loss = 0.5;
    worker.last_heard = snapshot.time - 0.1;
    snapshot.workers.push_back(worker);
  }
  return snapshot;
}

std::string text_of(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) {
    for (const Span& span : line)
      text += span.text;
    text += "\n";
  }
  return text;
}

std::vector<Line> painted(const Snapshot& snapshot, View& view, std::size_t columns = 120,
                          std::size_t rows = 40) {
  observer::SourceStatus status;
  status.name = "node0:29800";
  status.state = observer::SourceState::kRunning;
  return paint({snapshot, status, History(), ""}, view, columns, rows);
}

KeyPress key(char text) {
  return {Key::kText, text};
}

TEST(Table, SortsByAnyColumnWithTheUnknownLast) {
  Snapshot snapshot = sample(6);
  snapshot.workers[2].steps_per_second.reset();
  snapshot.workers[4].steps_per_second = std::numeric_limits<double>::quiet_NaN();
  auto ranks = rows(snapshot, Column::kStepRate, false, "");
  EXPECT_EQ(ranks.front(), 4);  // what is not finite is worse than any number
  EXPECT_EQ(ranks.back(), 2);
  ranks = rows(snapshot, Column::kStepRate, true, "");
  EXPECT_EQ(ranks.back(), 2);
  EXPECT_EQ(ranks[4], 4);
  EXPECT_EQ(rows(snapshot, Column::kRank, false, ""), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(rows(snapshot, Column::kRank, true, "").front(), 5);
  EXPECT_EQ(rows(snapshot, Column::kHost, true, "").front(), 4);
  for (int column = 0; column < kColumns; ++column)
    EXPECT_EQ(rows(snapshot, static_cast<Column>(column), false, "").size(), 6u);
}

TEST(Table, FiltersByRankHostAndState) {
  Snapshot snapshot = sample(12);
  snapshot.workers[5].state = WorkerState::kGone;
  EXPECT_EQ(rows(snapshot, Column::kRank, false, "5"), std::vector<int>{5});
  EXPECT_EQ(rows(snapshot, Column::kRank, false, "NODE2"), (std::vector<int>{8, 9, 10, 11}));
  EXPECT_EQ(rows(snapshot, Column::kRank, false, "gone"), std::vector<int>{5});
  EXPECT_EQ(rows(snapshot, Column::kRank, false, "!gone").size(), 11u);
  EXPECT_TRUE(rows(snapshot, Column::kRank, false, "nobody").empty());
}

TEST(Table, ANarrowWindowKeepsWhatMatters) {
  const auto narrow = shown_columns(30, Column::kSent);
  EXPECT_THAT(narrow, testing::Contains(Column::kRank));
  EXPECT_THAT(narrow, testing::Contains(Column::kState));
  EXPECT_THAT(narrow, testing::Contains(Column::kSent));  // one sorts by it
  EXPECT_THAT(narrow, Not(testing::Contains(Column::kHost)));
  EXPECT_EQ(shown_columns(200, Column::kRank).size(), static_cast<std::size_t>(kColumns));
  for (std::size_t width = 24; width < 200; ++width) {
    std::size_t used = 0;
    for (const Column column : shown_columns(width, Column::kRank))
      used += info(column).width + 1;
    EXPECT_LE(used, width + 1);
  }
}

TEST(Paint, FillsTheScreenExactlyWhateverItsSize) {
  Snapshot snapshot = sample(20);
  snapshot.findings.push_back({observer::FindingKind::kStalledWorker, observer::Severity::kError, 3, -1,
                               1.7e9 - 14.0, "worker 3 (node0) has made no step for 14 s", "look at it"});
  for (const bool help : {false, true}) {
    for (std::size_t columns = 0; columns < 150; columns += 7) {
      for (std::size_t height = 0; height < 50; ++height) {
        View view;
        view.help = help;
        view.panel = height % 2 == 0 ? Panel::kNews : Panel::kPeers;
        const auto lines = painted(snapshot, view, columns, height);
        ASSERT_EQ(lines.size(), height);
        for (const Line& line : lines)
          ASSERT_LE(width(line), columns);
      }
    }
  }
}

TEST(Paint, ShowsRunWorkersAndTroubles) {
  Snapshot snapshot = sample(8);
  snapshot.workers[3].state = WorkerState::kStalled;
  snapshot.consensus = observer::ConsensusSample{.tick = 1, .mean = 0.1234, .max = 0.5, .max_rank = 6};
  snapshot.findings.push_back({observer::FindingKind::kStalledWorker, observer::Severity::kError, 3, -1,
                               1.7e9 - 14.0, "worker 3 (node0) has made no step for 14 s", "look at it"});
  snapshot.events.push_back({.number = 1, .time = 1.7e9, .count = 12, .text = "something happened"});
  View view;
  const std::string text = text_of(painted(snapshot, view));
  EXPECT_THAT(text, HasSubstr("node0:29800"));
  EXPECT_THAT(text, HasSubstr("a2cid2 on ring"));
  EXPECT_THAT(text, HasSubstr("chi1 13.1"));
  EXPECT_THAT(text, HasSubstr("0.123 max 0.5 (6)"));
  EXPECT_THAT(text, HasSubstr("stalled"));
  EXPECT_THAT(text, HasSubstr("worker 3 (node0) has made no step for 14 s"));
  EXPECT_THAT(text, HasSubstr("something happened (12 times)"));
}

TEST(Paint, WhatTheNetworkSaysCannotMoveTheCursor) {
  Snapshot snapshot = sample(2);
  snapshot.workers[0].host = "\x1b[2J\nevil";
  snapshot.run.graph = "\x1b[31m";
  snapshot.events.push_back({.number = 1, .time = 0.0, .text = "\x07\x1b]0;x\x07"});
  View view;
  const std::string text = text_of(painted(snapshot, view));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
}

TEST(Paint, ScrollsToTheChosenWorker) {
  Snapshot snapshot = sample(100);
  View view;
  painted(snapshot, view);
  EXPECT_EQ(press(view, {Key::kEnd}, snapshot), Wish::kNothing);
  EXPECT_EQ(view.selected, 99);
  EXPECT_THAT(text_of(painted(snapshot, view)), HasSubstr("1.10k"));  // its steps
  press(view, {Key::kPageUp}, snapshot);
  EXPECT_EQ(view.selected, 99 - static_cast<int>(view.page));
  press(view, {Key::kHome}, snapshot);
  press(view, {Key::kUp}, snapshot);
  EXPECT_EQ(view.selected, 0);
  press(view, {Key::kDown}, snapshot);
  EXPECT_EQ(view.selected, 1);
}

TEST(Keys, SortAndTurnRound) {
  const Snapshot snapshot = sample(4);
  View view;
  press(view, key('>'), snapshot);
  EXPECT_EQ(view.sorted_by, Column::kHost);
  press(view, {Key::kSort}, snapshot);
  EXPECT_EQ(view.sorted_by, Column::kState);
  press(view, key('<'), snapshot);
  press(view, key('<'), snapshot);
  press(view, key('<'), snapshot);
  EXPECT_EQ(view.sorted_by, Column::kAge);  // round the corner
  press(view, key('I'), snapshot);
  EXPECT_TRUE(view.inverted);
}

TEST(Keys, TheFilterTakesLettersThatAreCommandsElsewhere) {
  const Snapshot snapshot = sample(4);
  View view;
  press(view, key('/'), snapshot);
  for (const char letter : std::string("qph"))
    EXPECT_EQ(press(view, key(letter), snapshot), Wish::kNothing);
  EXPECT_EQ(view.filter, "qph");
  EXPECT_FALSE(view.paused || view.help);
  press(view, {Key::kBackspace}, snapshot);
  press(view, {Key::kEnter}, snapshot);
  EXPECT_EQ(view.filter, "qp");
  EXPECT_FALSE(view.editing);
  EXPECT_THAT(text_of(painted(snapshot, view)), HasSubstr("no worker matches the filter"));
  press(view, {Key::kEscape}, snapshot);
  EXPECT_TRUE(view.filter.empty());
  EXPECT_EQ(press(view, key('q'), snapshot), Wish::kQuit);
}

TEST(Keys, HelpIsLeftWithAnyKeyAndNothingElseHappens) {
  const Snapshot snapshot = sample(4);
  View view;
  press(view, key('?'), snapshot);
  EXPECT_TRUE(view.help);
  EXPECT_THAT(text_of(painted(snapshot, view)), HasSubstr("sort by another column"));
  EXPECT_EQ(press(view, key('q'), snapshot), Wish::kNothing);
  EXPECT_FALSE(view.help);
}

TEST(Keys, PlayAndPause) {
  const Snapshot snapshot = sample(4);
  View view;
  EXPECT_EQ(press(view, key(' '), snapshot), Wish::kPlayPause);
  EXPECT_EQ(press(view, key('+'), snapshot), Wish::kFaster);
  EXPECT_EQ(press(view, key('-'), snapshot), Wish::kSlower);
  press(view, key('p'), snapshot);
  EXPECT_TRUE(view.paused);
  press(view, {Key::kTab}, snapshot);
  EXPECT_EQ(view.panel, Panel::kPeers);
}

TEST(Keys, NoKeyHarmsAnEmptyRun) {
  const Snapshot nothing;
  for (int code = 0; code <= static_cast<int>(Key::kQuit); ++code) {
    View view;
    press(view, {static_cast<Key>(code), 'x'}, nothing);
    painted(nothing, view, 80, 24);
  }
  View view;
  EXPECT_THAT(text_of(painted(nothing, view)), HasSubstr("no worker is known yet"));
}

TEST(History, BarsAreLogarithmicAndMarkWhatIsNotFinite) {
  History history;
  EXPECT_EQ(history.bars(10), "");
  for (const double value : {1.0, 10.0, 100.0})
    history.add({.mean = value});
  const std::string bars = history.bars(10);
  ASSERT_EQ(bars.size(), 3u);
  EXPECT_EQ(bars.front(), '_');
  EXPECT_EQ(bars.back(), '#');
  history.add({.mean = std::numeric_limits<double>::quiet_NaN()});
  EXPECT_EQ(history.bars(2), "_!");
  for (int i = 0; i < 5000; ++i)
    history.add({.mean = 1.0});
  EXPECT_EQ(history.bars(100000).size(), history.bars(512).size());
}

TEST(Report, IsJsonWithNullForTheUnknownAndTextForTheNotFinite) {
  Snapshot snapshot = sample(3);
  snapshot.workers[0].distance_to_mean = std::numeric_limits<double>::quiet_NaN();
  snapshot.workers[1].distance_to_mean = 0.25;
  snapshot.workers[2].host = "bad \xff\xfe host";
  const auto json = nlohmann::json::parse(json_report(snapshot, {}));
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["run"]["graph"], "ring");
  ASSERT_EQ(json["workers"].size(), 3u);
  EXPECT_EQ(json["workers"][0]["distance_to_mean"], "NaN");
  EXPECT_EQ(json["workers"][1]["distance_to_mean"], 0.25);
  EXPECT_TRUE(json["workers"][2]["distance_to_mean"].is_null());
  EXPECT_EQ(json["workers"][1]["state"], "running");
  EXPECT_TRUE(json["consensus"].is_null());
}

}  // namespace
}  // namespace duet::top
