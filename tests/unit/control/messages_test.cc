#include "control/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <cstring>
#include <random>
#include <stdexcept>

#include "control/messages_generated.h"
#include "unit/control/sample_messages.h"

namespace duet::control {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view bytes) {
  std::string reason;
  EXPECT_FALSE(decode(bytes, &reason).has_value());
  return reason;
}

/// The message with one byte replaced wherever `change` says; for bytes whose place in the encoding is known
/// by value.
std::string with_replaced(std::string bytes, std::string_view what, std::string_view by) {
  const std::size_t at = bytes.find(what);
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(bytes.find(what, at + 1), std::string::npos) << "the pattern is not unique";
  return bytes.replace(at, what.size(), by);
}

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

TEST(Messages, EveryBodySurvivesTheRoundTrip) {
  const std::vector<Message> messages = sample_messages();
  ASSERT_EQ(messages.size(), std::variant_size_v<Body>);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i].body.index(), i);
    std::string reason;
    const std::optional<Message> back = decode(encode(messages[i]), &reason);
    ASSERT_TRUE(back.has_value()) << i << ": " << reason;
    EXPECT_EQ(*back, messages[i]) << i;
  }
}

TEST(Messages, DefaultValuesAndEmptyListsSurviveToo) {
  const std::vector<Body> bodies = {Join{},      JoinPending{},  JoinRefused{},   Joined{},
                                    Heartbeat{}, Pair{},         TickUp{},        TickDown{},
                                    Part{},      PartReceived{}, TicketRequest{}, Ticket{}};
  for (const Body& body : bodies) {
    const Message message{{}, body};
    EXPECT_EQ(decode(encode(message)), message) << body.index();
  }
}

// Of a vector without elements FlatBuffers aligns nothing, wherever what comes before it has left off.
TEST(Messages, EmptyListsBesideOthersAreNoDamage) {
  for (std::size_t length = 0; length < 20; ++length) {
    Heartbeat heartbeat;
    heartbeat.metrics = {{3, 7, std::string(length, 'a')}};
    const Message message{{1, 2, 3, {4, 5}, {6, 7}}, heartbeat};
    EXPECT_EQ(decode(encode(message)), message) << length;
  }
}

TEST(Messages, BytesMayLieAnywhereInMemory) {
  for (const Message& message : sample_messages()) {
    const std::string bytes = encode(message);
    for (std::size_t shift = 0; shift < 9; ++shift) {
      const std::string shifted = std::string(shift, 'x') + bytes;
      EXPECT_EQ(decode(std::string_view(shifted).substr(shift)), message);
    }
  }
}

TEST(Messages, WhatIsNoMessageIsRefusedWithAReason) {
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("x"), HasSubstr("no Duet message"));
  EXPECT_THAT(refusal("GET / HTTP/1.1\r\n\r\n"), HasSubstr("no Duet message"));
  EXPECT_THAT(refusal(std::string(kLargestMessage + 1, '\0')), HasSubstr("longer"));
  EXPECT_FALSE(decode("without asking for the reason").has_value());
}

TEST(Messages, AnotherVersionIsRefusedWithBothNumbers) {
  // The version is the first scalar of the root table, found through the table's own vtable.
  std::string bytes = encode(sample_messages().front());
  const auto at = [&bytes](std::size_t offset, auto value) {
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const std::size_t root = at(0, std::uint32_t{});
  const std::size_t vtable = root - static_cast<std::size_t>(at(root, std::int32_t{}));
  const std::size_t version = root + at(vtable + 4, std::uint16_t{});
  ASSERT_EQ(at(version, std::uint32_t{}), 2u);
  const std::uint32_t other = 9;
  std::memcpy(bytes.data() + version, &other, sizeof other);
  const std::string reason = refusal(bytes);
  EXPECT_THAT(reason, HasSubstr("version 9"));
  EXPECT_THAT(reason, HasSubstr("this worker 2"));
}

TEST(Messages, ValuesOutOfRangeAreRefused) {
  const std::uint64_t meeting = 0xa1a2a3a4a5a6a7a8;
  Message pair{{},
               Pair{{pairing::MessageKind::kDecline, meeting, 1, pairing::DeclineReason::kJustMet}, 2, {}}};
  for (int kind = 0; kind < 256; ++kind) {
    std::get<Pair>(pair.body).message.kind = static_cast<pairing::MessageKind>(kind);
    EXPECT_EQ(decode(encode(pair)).has_value(), kind <= static_cast<int>(pairing::MessageKind::kDone))
        << kind;
  }
  std::get<Pair>(pair.body).message.kind = pairing::MessageKind::kOffer;
  std::get<Pair>(pair.body).message.reason = static_cast<pairing::DeclineReason>(5);
  EXPECT_THAT(refusal(encode(pair)), HasSubstr("reason is 5"));

  std::get<Pair>(pair.body).message.reason = pairing::DeclineReason::kNone;
  for (const double momentum : {-0.5, std::nan(""), std::numeric_limits<double>::infinity(), 1e13}) {
    std::get<Pair>(pair.body).momentum = momentum;
    EXPECT_THAT(refusal(encode(pair)), HasSubstr("momentum is"));
  }

  Heartbeat heartbeat{{membership::MemberState{}}};
  heartbeat.states[0].phase = static_cast<membership::Phase>(8);
  EXPECT_THAT(refusal(encode({{}, heartbeat})), HasSubstr("phase is 8"));

  EXPECT_THAT(refusal(encode({{.rank = -1}, PartReceived{}})), HasSubstr("rank is -1"));
  EXPECT_THAT(refusal(encode({{.rank = kLargestWorld}, PartReceived{}})), HasSubstr("rank is 65536"));
  EXPECT_THAT(refusal(encode({{}, JoinPending{{-5}}})), HasSubstr("missing rank is -5"));
  Join join{sample_entry(0, 8)};
  join.entry.world_size = 0;
  EXPECT_THAT(refusal(encode({{}, join})), HasSubstr("world size is 0"));
  join.entry.world_size = 8;
  join.entry.rank = -3;
  EXPECT_THAT(refusal(encode({{}, join})), HasSubstr("rank is -3"));
}

TEST(Messages, WhatIsTooLongIsNotEncoded) {
  Join join{sample_entry(0, 8)};
  join.entry.host = std::string(kLargestLabel + 1, 'h');
  EXPECT_THROW(encode({{}, join}), std::length_error);
  EXPECT_THROW(encode({{}, Part{1, std::string(kLargestText + 1, 't')}}), std::length_error);
  EXPECT_THROW(encode({{}, TickUp{{.sketch = std::vector<double>(kLargestSketch + 1)}}}), std::length_error);
  EXPECT_THROW(encode({{}, Pair{{}, 1, std::string(kLargestTicket + 1, 't')}}), std::length_error);
  EXPECT_THROW(encode({{}, Ticket{1, std::string(kLargestTicket + 1, 't')}}), std::length_error);
  const Message largest{{}, Part{1, std::string(kLargestText, 't')}};
  EXPECT_EQ(decode(encode(largest)), largest);
}

TEST(Messages, ARefusalThatQuotesTooMuchIsCutShort) {
  const auto refused = decode(encode({{}, JoinRefused{std::string(2 * kLargestLabel, 'r'), false}}));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(std::get<JoinRefused>(refused->body).reason.size(), kLargestLabel);
}

TEST(Messages, ATicketThatIsTooLongIsRefused) {
  const std::vector<std::uint8_t> ticket(kLargestTicket + 1, 't');
  const wire::Id id{1, 1};
  for (const bool accept : {true, false}) {
    flatbuffers::FlatBufferBuilder builder;
    const auto bytes = builder.CreateVector(ticket);
    const auto body = accept ? wire::CreatePair(builder, 1, 0, 2, 3, 4, bytes).Union()
                             : wire::CreateTicket(builder, 5, bytes).Union();
    wire::FinishEnvelopeBuffer(builder,
                               wire::CreateEnvelope(builder, 2, 0, 0, 0, &id, &id,
                                                    accept ? wire::Body::Pair : wire::Body::Ticket, body));
    EXPECT_THAT(refusal({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}),
                HasSubstr("ticket"));
  }
}

TEST(Messages, ALengthThatLiesIsRefused) {
  const std::string text = "a text that is easily found";
  const std::string bytes = encode({{}, Part{1, text}});
  const std::string honest = raw(static_cast<std::uint32_t>(text.size())) + text;
  for (const std::uint32_t lie : {0x7fffffffu, 0xffffffffu, 0x80000000u, 1000u}) {
    EXPECT_THAT(refusal(with_replaced(bytes, honest, raw(lie) + text)), HasSubstr("damaged")) << lie;
  }
}

TEST(Messages, AFewBytesCannotAskForGigabytes) {
  flatbuffers::FlatBufferBuilder builder;
  const auto schema = builder.CreateString(std::string(1u << 20, 's'));
  wire::EntryBuilder entry_builder(builder);
  entry_builder.add_world_size(1);
  entry_builder.add_schema(schema);
  const auto entry = entry_builder.Finish();
  // One entry, referred to from tens of thousands of places.
  const auto entries =
      builder.CreateVector(std::vector<flatbuffers::Offset<wire::Entry>>(kLargestWorld, entry));
  const auto joined = wire::CreateJoined(builder, 0, entries);
  const wire::Id id{1, 1};
  wire::FinishEnvelopeBuffer(
      builder, wire::CreateEnvelope(builder, 2, 0, 0, 0, &id, &id, wire::Body::Joined, joined.Union()));
  EXPECT_THAT(refusal({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}),
              HasSubstr("overlap"));
}

TEST(Messages, NoTruncationIsTakenForAWholeMessage) {
  for (const Message& message : sample_messages()) {
    const std::string bytes = encode(message);
    for (std::size_t size = 0; size < bytes.size(); size += size < 600 ? 1 : 97) {
      // A copy of its own, so that AddressSanitizer sees a read past the end.
      const std::string cut(bytes.data(), size);
      const std::optional<Message> decoded = decode(cut);
      // Only padding may be missing without harm.
      if (decoded.has_value()) {
        EXPECT_EQ(*decoded, message);
        EXPECT_GE(size + 8, bytes.size());
      }
    }
  }
}

TEST(Messages, NoFlippedByteMakesItCrash) {
  std::mt19937_64 random(20230608);
  std::size_t accepted = 0, refused = 0;
  for (const Message& message : sample_messages()) {
    const std::string bytes = encode(message);
    for (int i = 0; i < 3000; ++i) {
      std::string damaged = bytes;
      const int flips = 1 + static_cast<int>(random() % 8);
      for (int flip = 0; flip < flips; ++flip) {
        damaged[random() % std::min<std::size_t>(damaged.size(), flip % 2 == 0 ? 256 : damaged.size())] =
            static_cast<char>(random());
      }
      if (random() % 8 == 0) damaged.resize(random() % damaged.size());
      const std::optional<Message> decoded = decode(damaged);
      ++(decoded.has_value() ? accepted : refused);
      // What was believed must be a value like any other.
      if (decoded.has_value()) {
        EXPECT_NO_THROW(encode(*decoded));
      }
    }
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_GT(refused, 0u);
}

TEST(Messages, RandomBytesAreRefused) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random());
    if (bytes.size() > 8) bytes.replace(4, 4, "DUET");
    if (bytes.size() > 4) bytes.replace(0, 4, raw(static_cast<std::uint32_t>(random() % 64)));
    EXPECT_FALSE(decode(bytes).has_value());
  }
}

TEST(Messages, RunHashTellsRunsApartAndIsNeverZero) {
  EXPECT_EQ(run_hash("a"), run_hash("a"));
  EXPECT_NE(run_hash("a"), run_hash("b"));
  EXPECT_NE(run_hash(""), 0u);
}

}  // namespace
}  // namespace duet::control
