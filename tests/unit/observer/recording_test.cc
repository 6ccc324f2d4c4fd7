#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>

#include "duet/error.h"
#include "recording_format.h"
#include "recording_reader.h"
#include "replay_source.h"
#include "unit/observer/recording_files.h"

namespace duet::observer {
namespace {

class RecordingTest : public RecordingFiles {};

TEST_F(RecordingTest, GivesBackWhatWasWritten) {
  const RecordingReader reader(record("run", 500));
  ASSERT_EQ(reader.frames(), 500u);
  EXPECT_TRUE(reader.complete());
  EXPECT_TRUE(reader.break_text().empty());
  EXPECT_NE(reader.text().find("Duet"), std::string::npos);
  Arrival arrival;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(reader.read(static_cast<std::size_t>(i), arrival));
    EXPECT_EQ(arrival.bytes, frame(i));
    EXPECT_DOUBLE_EQ(arrival.time, 1000.0 + i);
  }
  EXPECT_EQ(reader.first_at(0.0), 0u);
  EXPECT_EQ(reader.first_at(1000.5), 1u);
  EXPECT_EQ(reader.first_at(1e9), 500u);
}

TEST_F(RecordingTest, CutAnywhereItOpensUpToTheBreakOrSaysWhyNot) {
  const std::string whole = read(record("whole", 200));
  std::mt19937 random(7);
  const std::size_t header = parse_recording_header(whole, nullptr)->bytes;
  std::size_t opened = 0;
  for (std::size_t cut = 0; cut < whole.size(); cut += 1 + random() % 17) {
    const std::string path = write("cut", whole.substr(0, cut));
    const std::string problem = refusal(path);
    if (problem.empty()) {
      const RecordingReader reader(path);
      EXPECT_FALSE(reader.complete());
      EXPECT_FALSE(reader.break_text().empty());
      Arrival arrival;
      for (std::size_t i = 0; i < reader.frames(); ++i) {
        ASSERT_TRUE(reader.read(i, arrival));
        ASSERT_EQ(arrival.bytes, frame(static_cast<int>(i)));
      }
      ++opened;
    } else {
      EXPECT_LT(cut, header + kRecordHeaderBytes + frame(0).size()) << problem;
      EXPECT_NE(problem.find(path), std::string::npos);
    }
  }
  EXPECT_GT(opened, 100u);
}

TEST_F(RecordingTest, ADamagedByteIsNoticedAndWhatIsBeforeItIsKept) {
  const std::string whole = read(record("whole", 200));
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = whole;
    const std::size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    const std::string path = write("damaged", bytes);
    if (!refusal(path).empty()) continue;
    const RecordingReader reader(path);
    EXPECT_FALSE(reader.complete()) << "byte " << at;
    Arrival arrival;
    for (std::size_t i = 0; i < reader.frames(); ++i) {
      ASSERT_TRUE(reader.read(i, arrival));
      ASSERT_EQ(arrival.bytes, frame(static_cast<int>(i)));
    }
  }
}

TEST_F(RecordingTest, RefusesWithAReason) {
  EXPECT_NE(refusal(file("nowhere")).find("No such file"), std::string::npos);
  EXPECT_NE(refusal(folder_.string()).find("not a file"), std::string::npos);
  EXPECT_NE(refusal(write("empty", "")).find("empty"), std::string::npos);
  EXPECT_NE(refusal(write("text", "rank,steps\n0,12\n")).find("not a recording"), std::string::npos);
  EXPECT_NE(refusal(write("header", encode_recording_header("x"))).find("no frame"), std::string::npos);
  std::string newer = encode_recording_header("from the future");
  newer[8] = 9;
  const std::string text = refusal(write("newer", newer));
  EXPECT_NE(text.find("version 9"), std::string::npos) << text;
  EXPECT_NE(text.find("up to 1"), std::string::npos) << text;
}

TEST_F(RecordingTest, APipeInItsPlaceDoesNotHang) {
  ASSERT_EQ(mkfifo(file("pipe").c_str(), 0600), 0);
  EXPECT_NE(refusal(file("pipe")).find("not a file"), std::string::npos);
}

TEST_F(RecordingTest, SkipsKindsOfALaterMinorVersion) {
  std::string bytes = encode_recording_header("x") + encode_record(RecordKind::kFrame, 1.0, "one") +
                      encode_record(static_cast<RecordKind>(77), 1.5, "a note") +
                      encode_record(RecordKind::kFrame, 2.0, "two") +
                      encode_record(RecordKind::kEnd, 2.0, "");
  const RecordingReader reader(write("later", bytes));
  EXPECT_EQ(reader.frames(), 2u);
  EXPECT_TRUE(reader.complete());
}

TEST_F(RecordingTest, AClockThatWasSetBackHoldsTimeUp) {
  std::string bytes = encode_recording_header("x");
  for (const double time : {10.0, 11.0, 5.0, 6.0, 12.0})
    bytes += encode_record(RecordKind::kFrame, time, "frame");
  const RecordingReader reader(write("clock", bytes));
  EXPECT_DOUBLE_EQ(reader.time(2), 11.0);
  EXPECT_DOUBLE_EQ(reader.time(3), 11.0);
  EXPECT_DOUBLE_EQ(reader.end(), 12.0);
}

TEST_F(RecordingTest, DoesNotOverwriteUnasked) {
  record("there", 1);
  EXPECT_THROW(RecordingWriter(file("there"), false), ConfigurationError);
  EXPECT_NO_THROW(RecordingWriter(file("there"), true));
  EXPECT_THROW(RecordingWriter(file("no/such/folder"), false), ConfigurationError);
}

// ---- playing it ----

std::vector<std::string> taken(Source& source, double now, std::size_t most = 1000) {
  std::vector<Arrival> arrivals;
  source.take(now, most, arrivals);
  std::vector<std::string> bytes;
  for (const Arrival& arrival : arrivals)
    bytes.push_back(arrival.bytes);
  return bytes;
}

TEST_F(RecordingTest, ReplayKeepsTime) {
  ReplaySource source(record("run", 100), {});
  EXPECT_EQ(taken(source, 50.0).size(), 1u);  // whenever the caller's clock begins
  EXPECT_EQ(taken(source, 50.5).size(), 0u);
  EXPECT_EQ(taken(source, 53.0).size(), 3u);
  EXPECT_DOUBLE_EQ(source.time(53.0), 1003.0);
  source.pause();
  EXPECT_EQ(taken(source, 60.0).size(), 0u);
  EXPECT_EQ(source.status().state, SourceState::kPaused);
  source.play();
  source.set_speed(10.0);
  EXPECT_EQ(taken(source, 61.0).size(), 10u);
  source.set_speed(1000.0);
  EXPECT_DOUBLE_EQ(source.speed(), 100.0);
  source.set_speed(0.0);
  EXPECT_DOUBLE_EQ(source.speed(), 0.1);
  source.set_speed(100.0);
  EXPECT_EQ(taken(source, 70.0).size(), 86u);
  EXPECT_EQ(source.status().state, SourceState::kEnded);
  source.play();  // from the beginning
  EXPECT_EQ(source.generation(), 1u);
  EXPECT_EQ(taken(source, 70.0), std::vector<std::string>{frame(0)});
}

TEST_F(RecordingTest, AClockThatGoesBackwardsDoesNotTurnItRound) {
  ReplaySource source(record("run", 100), {});
  taken(source, 50.0);
  taken(source, 55.0);
  EXPECT_EQ(taken(source, 40.0).size(), 0u);
  EXPECT_EQ(taken(source, 41.0).size(), 1u);
}

TEST_F(RecordingTest, SeekingBackHandsOutTheHistory) {
  ReplaySource source(record("run", 100), {.history = 10.0});
  taken(source, 0.0);
  taken(source, 80.0);
  source.seek(1050.0);
  EXPECT_EQ(source.generation(), 1u);
  EXPECT_DOUBLE_EQ(source.position(), 1050.0);
  const auto frames = taken(source, 80.0);
  ASSERT_EQ(frames.size(), 11u);
  EXPECT_EQ(frames.front(), frame(40));
  EXPECT_EQ(frames.back(), frame(50));
  source.seek(1055.0);  // a step ahead passes through what lies between
  EXPECT_EQ(source.generation(), 1u);
  EXPECT_EQ(taken(source, 80.0).size(), 5u);
  source.seek(-1e300);
  EXPECT_DOUBLE_EQ(source.position(), 1000.0);
  source.seek(1e300);
  EXPECT_DOUBLE_EQ(source.position(), 1099.0);
}

TEST_F(RecordingTest, WhoTakesLittleAtATimeMissesNothing) {
  ReplaySource source(record("run", 100), {.speed = 100.0});
  std::size_t count = 0;
  for (double now = 0.0; now < 100.0; now += 1.0)
    count += taken(source, now, 3).size();
  EXPECT_EQ(count, 100u);
}

TEST_F(RecordingTest, ATruncatedOneIsPlayedUpToTheBreakAndSaysSo) {
  const std::string whole = read(record("run", 100));
  ReplaySource source(write("cut", whole.substr(0, whole.size() / 2)), {.speed = 100.0});
  taken(source, 0.0);
  taken(source, 10.0);
  EXPECT_EQ(source.status().state, SourceState::kEnded);
  EXPECT_NE(source.status().text.find("breaks off"), std::string::npos);
}

}  // namespace
}  // namespace duet::observer
