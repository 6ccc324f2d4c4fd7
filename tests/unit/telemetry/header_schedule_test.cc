#include "telemetry/header_schedule.h"

#include <gtest/gtest.h>

#include "telemetry/frame.h"

namespace duet::telemetry {
namespace {

/// How often it tells within `seconds` when it is asked five times a second and `news` comes each time.
int told_within(double seconds, std::size_t bytes, bool news) {
  HeaderSchedule schedule;
  int told = 0;
  for (double now = 1000.0; now < 1000.0 + seconds; now += 0.2) {
    if (news) schedule.news();
    if (!schedule.due(now)) continue;
    schedule.told(now, bytes);
    ++told;
  }
  return told;
}

TEST(HeaderSchedule, TheFirstIsDueAtOnceThenOneASecond) {
  HeaderSchedule schedule;
  EXPECT_TRUE(schedule.due(1000.0));
  schedule.told(1000.0, 2000);
  EXPECT_FALSE(schedule.due(1000.8));
  EXPECT_TRUE(schedule.due(1001.0));
}

TEST(HeaderSchedule, NewsOfASmallRunAreToldWithTheNextFrame) {
  HeaderSchedule schedule;
  schedule.told(1000.0, 2000);
  schedule.news();
  EXPECT_TRUE(schedule.due(1000.2));
  schedule.told(1000.2, 2000);
  EXPECT_FALSE(schedule.due(1000.4)) << "told once";
}

TEST(HeaderSchedule, ALargeRunsHeadersTakeABoundedShareOfTheStream) {
  constexpr double kSeconds = 100.0;
  for (const std::size_t bytes : {2'000u, 50'000u, 130'000u, 1'000'000u}) {
    const auto most = [&](double rate) { return kSeconds * rate / static_cast<double>(bytes) + 1.0; };
    EXPECT_LE(told_within(kSeconds, bytes, false), most(HeaderSchedule::kBytesPerSecond)) << bytes;
    EXPECT_LE(told_within(kSeconds, bytes, true), most(HeaderSchedule::kBytesPerSecondOfNews)) << bytes;
    EXPECT_GE(told_within(kSeconds, bytes, true), told_within(kSeconds, bytes, false)) << bytes;
    EXPECT_GE(told_within(kSeconds, bytes, false), 2) << bytes;
  }
}

/// What the comment says about 1,024 workers.
TEST(HeaderSchedule, OfAThousandWorkersIsHeardInTenSeconds) {
  FrameHeader header;
  for (int rank = 0; rank < 1024; ++rank) {
    FrameMember member;
    member.rank = rank;
    member.host = "node-0000.cluster";
    member.telemetry_address = "tcp://10.100.100.100:29800";
    member.metrics_address = "10.100.100.100:29700";
    header.roster.push_back(member);
    header.edges.push_back({rank, (rank + 1) % 1024, 0.5});
  }
  Frame frame;
  frame.content = header;
  const std::size_t bytes = encode(frame).size();
  HeaderSchedule schedule;
  schedule.told(1000.0, bytes);
  EXPECT_FALSE(schedule.due(1005.0)) << bytes;
  EXPECT_TRUE(schedule.due(1012.0)) << bytes;
  schedule.news();
  EXPECT_TRUE(schedule.due(1003.0)) << bytes;
}

}  // namespace
}  // namespace duet::telemetry
