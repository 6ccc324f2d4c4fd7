#include "recorder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "recording_reader.h"
#include "unit/observer/recording_files.h"

/// The thread that writes a recording.
namespace duet::observer {
namespace {

class RecorderTest : public RecordingFiles {};

TEST_F(RecorderTest, AFullDiskEndsItWithAReason) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full";
  Recorder recorder("/dev/full", true);
  const std::string frame(100'000, 'x');
  for (int i = 0; i < 500 && recorder.status().problem.empty(); ++i) {
    recorder.add({1.0 * i, frame});
    usleep(2000);
  }
  EXPECT_NE(recorder.status().problem.find("No space left"), std::string::npos);
  const std::uint64_t dropped = recorder.status().dropped;
  recorder.add({600.0, frame});
  EXPECT_EQ(recorder.status().dropped, dropped + 1);
}

TEST_F(RecorderTest, WritesEverythingBeforeItEnds) {
  {
    Recorder recorder(file("run"), false);
    for (int i = 0; i < 5000; ++i)
      recorder.add({1000.0 + i, frame(i)});
  }
  const RecordingReader reader(file("run"));
  EXPECT_EQ(reader.frames(), 5000u);
  EXPECT_TRUE(reader.complete());
}

TEST_F(RecorderTest, WritesWhatCanBeReadMeanwhile) {
  Recorder recorder(file("run"), false);
  for (int i = 0; i < 100; ++i)
    recorder.add({1000.0 + i, frame(i)});
  for (int i = 0; i < 100 && !refusal(file("run")).empty(); ++i)
    usleep(50'000);
  const RecordingReader reader(file("run"));
  EXPECT_EQ(reader.frames(), 100u);
  EXPECT_FALSE(reader.complete());
}

}  // namespace
}  // namespace duet::observer
