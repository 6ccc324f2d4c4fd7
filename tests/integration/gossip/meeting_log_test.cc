#include "meeting_log.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace {

MeetingLog numbered(std::size_t count) {
  MeetingLog log;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = static_cast<float>(i);
    log.entries.push_back({0.5 * static_cast<double>(i), static_cast<int>(i) - 1, {number, -number}});
  }
  return log;
}

TEST(GossipMeetingLog, ComesBackWholeFromItsParts) {
  const MeetingLog log = numbered(11);
  MeetingLog again;
  for (std::size_t part = 0; part < 5; ++part)  // the last one is empty
    again.append(log.pack(part * 3, 3));
  ASSERT_EQ(again.entries.size(), log.entries.size());
  for (std::size_t i = 0; i < log.entries.size(); ++i) {
    EXPECT_EQ(again.entries[i].seconds, log.entries[i].seconds);
    EXPECT_EQ(again.entries[i].peer, log.entries[i].peer);
    EXPECT_EQ(again.entries[i].sketch, log.entries[i].sketch);
  }
}

TEST(GossipMeetingLog, RefusesBytesThatAreCutShort) {
  const std::string bytes = numbered(2).pack(0, 2);
  for (std::size_t kept = bytes.size() - 1; kept > bytes.size() / 2; --kept) {
    MeetingLog log;
    EXPECT_THROW(log.append(bytes.substr(0, kept)), std::runtime_error) << kept;
  }
}

TEST(GossipMeetingLog, IsHandedInInAsManyPartsAsTheLargestOneNeeds) {
  EXPECT_EQ(parts_of(0), 1u);
  EXPECT_EQ(parts_of(1), 1u);
  EXPECT_EQ(parts_of(kEntriesPerPart), 1u);
  EXPECT_EQ(parts_of(kEntriesPerPart + 1), 2u);
  // A part stays below the 16 MiB that Worker::gather() takes: 1,024 numbers of 4 bytes and 16 more an entry.
  EXPECT_LT(kEntriesPerPart * (1024 * 4 + 16), std::size_t{16} << 20);
}

}  // namespace
