#include "event_log.h"

#include <gtest/gtest.h>

namespace duet::observer {
namespace {

TEST(EventLog, NumbersWithoutGapsAndHandsOutOnce) {
  EventLog log(100);
  log.add(1.0, EventKind::kWorkerGone, Severity::kError, 3, -1, "worker 3 is gone");
  log.add(2.0, EventKind::kWorkerReturned, Severity::kInfo, 3, -1, "worker 3 is back");
  log.add(3.0, EventKind::kWorkerGone, Severity::kError, 3, -1, "worker 3 is gone");
  const auto fresh = log.take();
  ASSERT_EQ(fresh.size(), 3u);
  EXPECT_EQ(fresh[2].number, 3u);
  EXPECT_TRUE(log.take().empty());
  EXPECT_EQ(log.events().size(), 3u);
}

TEST(EventLog, WhatRepeatsItselfIsOneCountedNoticeAMinute) {
  EventLog log(100);
  for (int i = 0; i < 6000; ++i)  // 5 a second for 20 minutes
    log.add(0.2 * i, EventKind::kRefused, Severity::kWarning, -1, -1, "no frame");
  const auto fresh = log.take();
  ASSERT_EQ(fresh.size(), 20u);
  EXPECT_EQ(fresh[0].count, 1u);
  EXPECT_EQ(fresh[19].count, 5701u);
}

TEST(EventLog, DifferentRanksAreToldApart) {
  EventLog log(100);
  log.add(0.0, EventKind::kClock, Severity::kWarning, 1, -1, "");
  log.add(0.0, EventKind::kClock, Severity::kWarning, 2, -1, "");
  log.add(0.1, EventKind::kClock, Severity::kWarning, 2, -1, "");
  EXPECT_EQ(log.take().size(), 2u);
}

TEST(EventLog, KeepsTheNewestOnly) {
  EventLog log(10);
  for (int i = 0; i < 100; ++i)
    log.add(i, EventKind::kEpochChanged, Severity::kInfo, -1, -1, "");
  ASSERT_EQ(log.events().size(), 10u);
  EXPECT_EQ(log.events().front().number, 91u);
  EXPECT_EQ(log.take().size(), 10u);
}

TEST(EventLog, StrangersCannotMakeItGrow) {
  EventLog log(10);
  for (int rank = 0; rank < 100000; ++rank)
    log.add(0.0, EventKind::kRefused, Severity::kWarning, rank, -1, "");
  EXPECT_EQ(log.events().size(), 10u);
}

}  // namespace
}  // namespace duet::observer
