#include "control/messages.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "control/messages_generated.h"
#include "support/untrusted.h"

namespace duet::control {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using support::checked_size;
using support::Invalid;
using support::read_enum;

/// Of messages.fbs.
constexpr std::uint32_t kVersion = 2;
/// Envelope, body, vector, entry: nothing of ours nests deeper.
constexpr flatbuffers::uoffset_t kLargestDepth = 8;
/// α̃ grows with the root of χ₁: this is a ring of 10¹³.
constexpr double kLargestMomentum = 1e12;
constexpr flatbuffers::uoffset_t kMostTables = kLargestWorld * (1 + kMostTransports) + 16;

constexpr const char* kKind = "a control message";

void require_size(std::size_t size, std::size_t largest, const char* what) {
  support::require_size(kKind, size, largest, what);
}

// ---- values to wire
// ----------------------------------------------------------------------------------------------

wire::Id to_wire(const membership::Incarnation& incarnation) {
  return {incarnation.high, incarnation.low};
}

Offset<flatbuffers::String> write_text(FlatBufferBuilder& builder, const std::string& text,
                                       std::size_t largest, const char* what) {
  require_size(text.size(), largest, what);
  return builder.CreateString(text);
}

Offset<flatbuffers::Vector<std::uint8_t>> write_bytes(FlatBufferBuilder& builder, const std::string& bytes,
                                                      std::size_t largest, const char* what) {
  require_size(bytes.size(), largest, what);
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

Offset<wire::Entry> write_entry(FlatBufferBuilder& builder, const membership::Entry& entry) {
  const auto host = write_text(builder, entry.host, kLargestLabel, "a host name");
  const auto control = write_text(builder, entry.control_address, kLargestLabel, "a control address");
  require_size(entry.transports.size(), kMostTransports, "a list of transports");
  std::vector<Offset<wire::TransportAddress>> transports;
  for (const membership::TransportAddress& transport : entry.transports) {
    const auto name = write_text(builder, transport.name, kLargestLabel, "a transport's name");
    const auto address = write_bytes(builder, transport.address, kLargestLabel, "a transport's address");
    transports.push_back(wire::CreateTransportAddress(builder, name, address));
  }
  const auto addresses = builder.CreateVector(transports);
  const auto schema = write_text(builder, entry.schema, kLargestText, "a model's schema");
  const auto options = write_text(builder, entry.options, kLargestLabel, "the options' text");
  const auto telemetry = write_text(builder, entry.telemetry_address, kLargestLabel, "a telemetry address");
  const wire::Id incarnation = to_wire(entry.incarnation);
  return wire::CreateEntry(builder, entry.rank, entry.world_size, &incarnation, host, entry.pid, control,
                           addresses, entry.schema_hash, schema, options, entry.local_rank, telemetry);
}

Offset<wire::TickSums> write_sums(FlatBufferBuilder& builder, const TickSums& sums) {
  require_size(sums.sketch.size(), kLargestSketch, "a sketch");
  const auto sketch = builder.CreateVector(sums.sketch);
  return wire::CreateTickSums(builder, sums.tick, sums.tree, sums.members, sums.steps, sums.samples,
                              sums.meeting_ends, sums.losses, sums.loss_sum, sums.squared_deviations, sketch);
}

struct BodyWriter {
  FlatBufferBuilder& builder;

  Offset<void> operator()(const Join& join) const {
    const auto entry = write_entry(builder, join.entry);
    return wire::CreateJoin(builder, entry).Union();
  }
  Offset<void> operator()(const JoinPending& pending) const {
    require_size(pending.missing.size(), kLargestWorld, "a list of missing ranks");
    const auto missing = builder.CreateVector(pending.missing);
    return wire::CreateJoinPending(builder, missing).Union();
  }
  Offset<void> operator()(const JoinRefused& refused) const {
    // It quotes what others sent: to be cut short is better than not to be said.
    const auto reason =
        builder.CreateString(refused.reason.data(), std::min(refused.reason.size(), kLargestLabel));
    return wire::CreateJoinRefused(builder, reason, refused.timed_out).Union();
  }
  Offset<void> operator()(const Joined& joined) const {
    require_size(joined.entries.size(), kLargestWorld, "a roster");
    std::vector<Offset<wire::Entry>> entries;
    entries.reserve(joined.entries.size());
    for (const membership::Entry& entry : joined.entries)
      entries.push_back(write_entry(builder, entry));
    const auto run_id = write_text(builder, joined.run_id, kLargestLabel, "a run id");
    const auto vector = builder.CreateVector(entries);
    return wire::CreateJoined(builder, run_id, vector).Union();
  }
  Offset<void> operator()(const Heartbeat& heartbeat) const {
    require_size(heartbeat.states.size(), kLargestWorld, "a list of members");
    std::vector<wire::MemberState> states;
    states.reserve(heartbeat.states.size());
    for (const membership::MemberState& state : heartbeat.states) {
      states.emplace_back(to_wire(state.incarnation), state.beats, state.steps, state.samples, state.meetings,
                          state.attempt, state.passes, state.result, state.squared_distance,
                          static_cast<std::uint8_t>(state.phase));
    }
    require_size(heartbeat.metrics.size(), kLargestWorld, "a list of addresses");
    std::vector<Offset<wire::ServiceAddress>> addresses;
    for (const membership::ServiceAddress& one : heartbeat.metrics) {
      const auto address =
          write_text(builder, one.address, membership::kLargestServiceAddress, "a metrics address");
      addresses.push_back(wire::CreateServiceAddress(builder, one.rank, one.serial, address));
    }
    // Most have none: an absent vector costs no bytes.
    const auto metrics = addresses.empty() ? 0 : builder.CreateVector(addresses);
    const auto vector = builder.CreateVectorOfStructs(states);
    return wire::CreateHeartbeat(builder, vector, metrics).Union();
  }
  Offset<void> operator()(const Pair& pair) const {
    // Most have none: an absent vector costs no bytes.
    const auto ticket =
        pair.ticket.empty() ? 0 : write_bytes(builder, pair.ticket, kLargestTicket, "a ticket");
    return wire::CreatePair(builder, static_cast<std::uint8_t>(pair.message.kind),
                            static_cast<std::uint8_t>(pair.message.reason), pair.message.meeting,
                            pair.message.token, pair.session, ticket, pair.momentum)
        .Union();
  }
  Offset<void> operator()(const TickUp& up) const {
    const auto sums = write_sums(builder, up.sums);
    return wire::CreateTickUp(builder, sums).Union();
  }
  Offset<void> operator()(const TickDown& down) const {
    const auto sums = write_sums(builder, down.sums);
    return wire::CreateTickDown(builder, sums).Union();
  }
  Offset<void> operator()(const Part& part) const {
    const auto text = write_bytes(builder, part.text, kLargestText, "a gathered text");
    return wire::CreatePart(builder, part.round, text).Union();
  }
  Offset<void> operator()(const PartReceived& received) const {
    return wire::CreatePartReceived(builder, received.round).Union();
  }
  Offset<void> operator()(const TicketRequest& request) const {
    return wire::CreateTicketRequest(builder, request.session).Union();
  }
  Offset<void> operator()(const Ticket& ticket) const {
    const auto bytes = write_bytes(builder, ticket.ticket, kLargestTicket, "a ticket");
    return wire::CreateTicket(builder, ticket.session, bytes).Union();
  }
};

template <typename T>
constexpr wire::Body kTypeOf = wire::Body::NONE;
template <>
constexpr wire::Body kTypeOf<Join> = wire::Body::Join;
template <>
constexpr wire::Body kTypeOf<JoinPending> = wire::Body::JoinPending;
template <>
constexpr wire::Body kTypeOf<JoinRefused> = wire::Body::JoinRefused;
template <>
constexpr wire::Body kTypeOf<Joined> = wire::Body::Joined;
template <>
constexpr wire::Body kTypeOf<Heartbeat> = wire::Body::Heartbeat;
template <>
constexpr wire::Body kTypeOf<Pair> = wire::Body::Pair;
template <>
constexpr wire::Body kTypeOf<TickUp> = wire::Body::TickUp;
template <>
constexpr wire::Body kTypeOf<TickDown> = wire::Body::TickDown;
template <>
constexpr wire::Body kTypeOf<Part> = wire::Body::Part;
template <>
constexpr wire::Body kTypeOf<PartReceived> = wire::Body::PartReceived;
template <>
constexpr wire::Body kTypeOf<TicketRequest> = wire::Body::TicketRequest;
template <>
constexpr wire::Body kTypeOf<Ticket> = wire::Body::Ticket;

wire::Body type_of(const Body& body) {
  return std::visit([](const auto& value) { return kTypeOf<std::decay_t<decltype(value)>>; }, body);
}

// ---- wire to values
// ----------------------------------------------------------------------------------------------

membership::Incarnation read_id(const wire::Id* id) {
  return id == nullptr ? membership::Incarnation{} : membership::Incarnation{id->high(), id->low()};
}

int read_rank(std::int32_t rank, const char* what) {
  if (rank < 0 || rank >= kLargestWorld) throw Invalid{std::string(what) + " is " + std::to_string(rank)};
  return rank;
}

/// Reads texts. FlatBuffers may refer to one text from many places, so that a few bytes could ask for
/// gigabytes; ours never do, so all texts together are no longer than the message.
class TextReader {
 public:
  explicit TextReader(std::size_t message_size) : left_(message_size) {}
  std::string text(const flatbuffers::String* from, std::size_t largest, const char* what) {
    const std::size_t size = take(checked_size(from, largest, what));
    return size == 0 ? std::string() : std::string(from->data(), size);
  }
  std::string bytes(const flatbuffers::Vector<std::uint8_t>* from, std::size_t largest, const char* what) {
    const std::size_t size = take(checked_size(from, largest, what));
    return size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(from->data()), size);
  }

 private:
  std::size_t take(std::size_t size) {
    if (size > left_) throw Invalid{"its texts overlap"};
    left_ -= size;
    return size;
  }
  std::size_t left_;
};

membership::Entry read_entry(const wire::Entry& from, TextReader& texts) {
  membership::Entry entry;
  entry.world_size = from.world_size();
  if (entry.world_size < 1 || entry.world_size > kLargestWorld) {
    throw Invalid{"an entry's world size is " + std::to_string(entry.world_size)};
  }
  entry.rank = read_rank(from.rank(), "an entry's rank");
  entry.incarnation = read_id(from.incarnation());
  entry.host = texts.text(from.host(), kLargestLabel, "an entry's host");
  entry.pid = from.pid();
  entry.control_address = texts.text(from.control_address(), kLargestLabel, "an entry's control address");
  const std::size_t transports = checked_size(from.transports(), kMostTransports, "a list of transports");
  for (std::size_t i = 0; i < transports; ++i) {
    const wire::TransportAddress& transport = *from.transports()->Get(static_cast<flatbuffers::uoffset_t>(i));
    std::string name = texts.text(transport.name(), kLargestLabel, "a transport's name");
    std::string address = texts.bytes(transport.address(), kLargestLabel, "a transport's address");
    entry.transports.push_back({std::move(name), std::move(address)});
  }
  entry.schema_hash = from.schema_hash();
  entry.schema = texts.text(from.schema(), kLargestText, "an entry's schema");
  entry.options = texts.text(from.options(), kLargestLabel, "an entry's options");
  entry.local_rank = read_rank(from.local_rank(), "an entry's local rank");
  entry.telemetry_address =
      texts.text(from.telemetry_address(), kLargestLabel, "an entry's telemetry address");
  return entry;
}

TickSums read_sums(const wire::TickSums& from) {
  TickSums sums;
  sums.tick = from.tick();
  sums.tree = from.tree();
  sums.members = from.members();
  sums.steps = from.steps();
  sums.samples = from.samples();
  sums.meeting_ends = from.meeting_ends();
  sums.losses = from.losses();
  sums.loss_sum = from.loss_sum();
  sums.squared_deviations = from.squared_deviations();
  const std::size_t size = checked_size(from.sketch(), kLargestSketch, "a sketch", alignof(double));
  if (size > 0) sums.sketch.assign(from.sketch()->begin(), from.sketch()->end());
  return sums;
}

Body read_heartbeat(const wire::Heartbeat& from, TextReader& texts) {
  Heartbeat heartbeat;
  const std::size_t size =
      checked_size(from.states(), kLargestWorld, "a heartbeat", alignof(wire::MemberState));
  heartbeat.states.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    const wire::MemberState* state = from.states()->Get(static_cast<flatbuffers::uoffset_t>(i));
    heartbeat.states.push_back(
        {.incarnation = read_id(&state->incarnation()),
         .phase = read_enum(state->phase(), membership::Phase::kGone, "a member's phase"),
         .beats = state->beats(),
         .steps = state->steps(),
         .samples = state->samples(),
         .meetings = state->meetings(),
         .attempt = state->attempt(),
         .passes = state->passes(),
         .result = state->result(),
         .squared_distance = state->squared_distance()});
  }
  const std::size_t addresses = checked_size(from.metrics(), kLargestWorld, "a list of addresses");
  heartbeat.metrics.reserve(addresses);
  for (std::size_t i = 0; i < addresses; ++i) {
    const wire::ServiceAddress& one = *from.metrics()->Get(static_cast<flatbuffers::uoffset_t>(i));
    std::string address = texts.text(one.address(), membership::kLargestServiceAddress, "a metrics address");
    heartbeat.metrics.push_back(
        {read_rank(one.rank(), "a metrics address' rank"), one.serial(), std::move(address)});
  }
  return heartbeat;
}

Body read_joined(const wire::Joined& from, TextReader& texts) {
  Joined joined;
  joined.run_id = texts.text(from.run_id(), kLargestLabel, "a run id");
  const std::size_t size = checked_size(from.entries(), kLargestWorld, "a roster");
  joined.entries.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    joined.entries.push_back(read_entry(*from.entries()->Get(static_cast<flatbuffers::uoffset_t>(i)), texts));
  }
  return joined;
}

Body read_pending(const wire::JoinPending& from) {
  JoinPending pending;
  const std::size_t size = checked_size(from.missing(), kLargestWorld, "a list of missing ranks");
  pending.missing.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    pending.missing.push_back(
        read_rank(from.missing()->Get(static_cast<flatbuffers::uoffset_t>(i)), "a missing rank"));
  }
  return pending;
}

Body read_pair(const wire::Pair& from, TextReader& texts) {
  Pair pair;
  pair.message.kind = read_enum(from.kind(), pairing::MessageKind::kDone, "a pairing message's kind");
  pair.message.reason = read_enum(from.reason(), pairing::DeclineReason::kStopped, "a decline's reason");
  pair.message.meeting = from.meeting();
  pair.message.token = from.token();
  pair.session = from.session();
  pair.ticket = texts.bytes(from.ticket(), kLargestTicket, "a ticket");
  pair.momentum = from.momentum();
  if (!(pair.momentum >= 0.0 && pair.momentum <= kLargestMomentum))
    throw Invalid{"its momentum is " + std::to_string(pair.momentum)};
  return pair;
}

Body read_body(const wire::Envelope& envelope, TextReader texts) {
  if (envelope.body() == nullptr) throw Invalid{"it has no body"};
  switch (envelope.body_type()) {
    case wire::Body::NONE:
      break;
    case wire::Body::Join:
      return Join{read_entry(*envelope.body_as_Join()->entry(), texts)};
    case wire::Body::JoinPending:
      return read_pending(*envelope.body_as_JoinPending());
    case wire::Body::JoinRefused:
      return JoinRefused{texts.text(envelope.body_as_JoinRefused()->reason(), kLargestLabel, "a reason"),
                         envelope.body_as_JoinRefused()->timed_out()};
    case wire::Body::Joined:
      return read_joined(*envelope.body_as_Joined(), texts);
    case wire::Body::Heartbeat:
      return read_heartbeat(*envelope.body_as_Heartbeat(), texts);
    case wire::Body::Pair:
      return read_pair(*envelope.body_as_Pair(), texts);
    case wire::Body::TickUp:
      return TickUp{read_sums(*envelope.body_as_TickUp()->sums())};
    case wire::Body::TickDown:
      return TickDown{read_sums(*envelope.body_as_TickDown()->sums())};
    case wire::Body::Part:
      return Part{envelope.body_as_Part()->round(),
                  texts.bytes(envelope.body_as_Part()->text(), kLargestText, "a gathered text")};
    case wire::Body::PartReceived:
      return PartReceived{envelope.body_as_PartReceived()->round()};
    case wire::Body::TicketRequest:
      return TicketRequest{envelope.body_as_TicketRequest()->session()};
    case wire::Body::Ticket:
      return Ticket{envelope.body_as_Ticket()->session(),
                    texts.bytes(envelope.body_as_Ticket()->ticket(), kLargestTicket, "a ticket")};
  }
  throw Invalid{"its body is of unknown type " + std::to_string(static_cast<int>(envelope.body_type()))};
}

/// `data` is aligned for the widest field.
Message read_message(const std::uint8_t* data, std::size_t size) {
  if (size < 2 * sizeof(flatbuffers::uoffset_t) ||
      !flatbuffers::BufferHasIdentifier(data, wire::EnvelopeIdentifier())) {
    throw Invalid{"it is no Duet message"};
  }
  flatbuffers::Verifier any(data, size, kLargestDepth, kMostTables);
  if (!any.VerifyBuffer<wire::AnyVersion>(wire::EnvelopeIdentifier())) throw Invalid{"it is damaged"};
  const std::uint32_t version = flatbuffers::GetRoot<wire::AnyVersion>(data)->version();
  if (version != kVersion) {
    throw Invalid{"its sender speaks version " + std::to_string(version) +
                  " of the control messages, this worker " + std::to_string(kVersion) +
                  "; run the same release of Duet everywhere"};
  }
  flatbuffers::Verifier verifier(data, size, kLargestDepth, kMostTables);
  if (!wire::VerifyEnvelopeBuffer(verifier)) throw Invalid{"it is damaged"};

  const wire::Envelope& envelope = *wire::GetEnvelope(data);
  Message message;
  message.header.run = envelope.run();
  message.header.epoch = envelope.epoch();
  message.header.rank = read_rank(envelope.rank(), "its sender's rank");
  message.header.from = read_id(envelope.from());
  message.header.to = read_id(envelope.to());
  message.body = read_body(envelope, TextReader(size));
  return message;
}

}  // namespace

std::uint64_t run_hash(std::string_view run_id) {
  const std::uint64_t hash = XXH3_64bits(run_id.data(), run_id.size());
  return hash == 0 ? 1 : hash;
}

std::string encode(const Message& message) {
  FlatBufferBuilder builder(512);
  const Offset<void> body = std::visit(BodyWriter{builder}, message.body);
  const wire::Id from = to_wire(message.header.from);
  const wire::Id to = to_wire(message.header.to);
  wire::FinishEnvelopeBuffer(
      builder, wire::CreateEnvelope(builder, kVersion, message.header.run, message.header.epoch,
                                    message.header.rank, &from, &to, type_of(message.body), body));
  require_size(builder.GetSize(), kLargestMessage, "a body");
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

std::optional<Message> decode(std::string_view bytes, std::string* reason) {
  return support::decode_untrusted(bytes, kLargestMessage, kKind, "message", reason, read_message);
}

}  // namespace duet::control
