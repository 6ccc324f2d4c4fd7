// Histograms and the event queue.
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "telemetry/event_queue.h"
#include "telemetry/histogram.h"

namespace duet::telemetry {
namespace {

TEST(Histograms, ABoundBelongsToItsBucket) {
  EXPECT_EQ(bucket_of(0.0), 0u);
  for (std::size_t i = 0; i < kDurationBounds.size(); ++i) {
    EXPECT_EQ(bucket_of(kDurationBounds[i]), i) << "Prometheus' le is less or equal";
    EXPECT_EQ(bucket_of(std::nextafter(kDurationBounds[i], 1e9)), i + 1);
  }
  EXPECT_EQ(bucket_of(31.0), kDurationBuckets - 1);
  EXPECT_EQ(bucket_of(std::nan("")), kDurationBuckets - 1);
  EXPECT_EQ(bucket_of(-1.0), 0u);
}

TEST(Histograms, BoundsAreTwelveFromAHundredMicrosecondsToThirtySeconds) {
  EXPECT_EQ(kDurationBounds.size(), 12u);
  EXPECT_EQ(kDurationBounds.front(), 1e-4);
  EXPECT_EQ(kDurationBounds.back(), 30.0);
  for (std::size_t i = 1; i < kDurationBounds.size(); ++i)
    EXPECT_GT(kDurationBounds[i], kDurationBounds[i - 1]);
}

TEST(Histograms, WhatOneThreadRecordsAnotherReads) {
  AtomicHistogram histogram;
  std::thread writer([&] {
    for (int i = 0; i < 100000; ++i)
      histogram.record(i % 2 == 0 ? 5e-5 : 0.02);
  });
  std::uint64_t last = 0;
  while (last < 100000) {
    const auto copy = histogram.copy();
    EXPECT_GE(copy.count(), last) << "counts never fall";
    last = copy.count();
    std::this_thread::yield();
  }
  writer.join();
  const auto copy = histogram.copy();
  EXPECT_EQ(copy.counts[0], 50000u);
  EXPECT_EQ(copy.counts[5], 50000u);
  EXPECT_NEAR(copy.sum, 50000 * (5e-5 + 0.02), 1e-6);
}

FrameEvent event(FrameEventKind kind, int rank) {
  FrameEvent event;
  event.kind = kind;
  event.rank = rank;
  return event;
}

TEST(EventQueue, KeepsTheFirstAndCountsTheRest) {
  EventQueue queue;
  for (int i = 0; i < 1000; ++i)
    queue.add(event(FrameEventKind::kMeeting, i));
  EXPECT_EQ(queue.dropped(), 1000 - EventQueue::kRoomForMeetings);
  // Meetings leave room for what is rarer.
  for (int i = 0; i < 100; ++i)
    queue.add(event(FrameEventKind::kMeetingFailed, i));
  const auto taken = queue.take();
  ASSERT_EQ(taken.size(), EventQueue::kRoom);
  EXPECT_EQ(taken.front().rank, 0);
  EXPECT_EQ(taken[EventQueue::kRoomForMeetings].kind, FrameEventKind::kMeetingFailed);
  EXPECT_EQ(queue.dropped(), 1100 - EventQueue::kRoom);
  EXPECT_TRUE(queue.take().empty());
  queue.add(event(FrameEventKind::kMeeting, 7));
  EXPECT_EQ(queue.take().size(), 1u) << "room again";
}

}  // namespace
}  // namespace duet::telemetry
