#include "telemetry/frame.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/untrusted.h"
#include "telemetry/frame_generated.h"

namespace duet::telemetry {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using support::checked_size;
using support::Invalid;
using support::read_enum;

/// Frame, content, vector, member: nothing of ours nests deeper.
constexpr flatbuffers::uoffset_t kLargestDepth = 8;
constexpr flatbuffers::uoffset_t kMostTables = kMostFrameMembers + 16;

constexpr const char* kKind = "a telemetry frame";

void require_size(std::size_t size, std::size_t largest, const char* what) {
  support::require_size(kKind, size, largest, what);
}

// ---- values to wire
// ----------------------------------------------------------------------------------------------

wire::Id to_wire(const membership::Incarnation& incarnation) {
  return {incarnation.high, incarnation.low};
}

Offset<flatbuffers::String> write_text(FlatBufferBuilder& builder, const std::string& text) {
  require_size(text.size(), kLargestFrameText, "a text");
  return builder.CreateString(text);
}

template <std::size_t kCount>
Offset<flatbuffers::Vector<std::uint64_t>> write_counts(FlatBufferBuilder& builder,
                                                        const std::array<std::uint64_t, kCount>& counts) {
  return builder.CreateVector(counts.data(), counts.size());
}

Offset<wire::Histogram> write_histogram(FlatBufferBuilder& builder, const Histogram& histogram) {
  const auto counts = write_counts(builder, histogram.counts);
  return wire::CreateHistogram(builder, counts, histogram.sum);
}

Offset<void> write_content(FlatBufferBuilder& builder, const FrameHeader& header) {
  require_size(header.roster.size(), kMostFrameMembers, "a roster");
  std::vector<Offset<wire::Member>> members;
  members.reserve(header.roster.size());
  for (const FrameMember& member : header.roster) {
    const auto host = write_text(builder, member.host);
    const auto telemetry = write_text(builder, member.telemetry_address);
    const auto metrics = write_text(builder, member.metrics_address);
    const wire::Id incarnation = to_wire(member.incarnation);
    members.push_back(wire::CreateMember(builder, member.rank, &incarnation, host, member.pid,
                                         member.local_rank, telemetry, metrics,
                                         static_cast<std::uint8_t>(member.phase)));
  }
  const auto roster = builder.CreateVector(members);
  const std::size_t told = std::min(header.edges.size(), kMostFrameEdges);
  std::vector<wire::GraphEdge> graph_edges;
  graph_edges.reserve(told);
  for (std::size_t i = 0; i < told; ++i)
    graph_edges.emplace_back(header.edges[i].a, header.edges[i].b, header.edges[i].rate);
  const auto edges = builder.CreateVectorOfStructs(graph_edges);
  const auto version = write_text(builder, header.version);
  const auto host = write_text(builder, header.host);
  const auto algorithm = write_text(builder, header.algorithm);
  const auto graph = write_text(builder, header.graph);
  const auto transport = write_text(builder, header.transport);
  const auto clock = write_text(builder, header.clock);
  const auto pairing = write_text(builder, header.pairing);
  const auto wire_type = write_text(builder, header.wire_type);
  return wire::CreateHeader(builder, header.started, version, host, header.pid, header.local_rank,
                            header.world_size, algorithm, graph, transport, clock, pairing, header.rate,
                            wire_type, header.parameters, header.parameter_bytes, header.chi1, header.chi2,
                            header.eta, header.alpha, header.alpha_tilde, header.tick_interval,
                            header.frame_interval, header.gone_after, header.epoch, edges,
                            header.edges_left_out + (header.edges.size() - told), roster)
      .Union();
}

Offset<void> write_content(FlatBufferBuilder& builder, const FrameState& state) {
  require_size(state.edges.size(), kMostFrameMembers, "a list of edges");
  require_size(state.heartbeat_ages.size(), kMostFrameMembers, "a list of heartbeats");
  require_size(state.ticks.size(), kMostFrameTicks, "a list of ticks");
  require_size(state.events.size(), kMostFrameEvents, "a list of events");
  const auto step_duration = write_histogram(builder, state.step_duration);
  const auto pairing_wait = write_histogram(builder, state.pairing_wait);
  const auto pairing_duration = write_histogram(builder, state.pairing_duration);
  const auto rejected = write_counts(builder, state.rejected_blocks);
  std::vector<wire::Tick> ticks;
  for (const FrameTick& tick : state.ticks) {
    ticks.emplace_back(tick.tick, tick.time, tick.members, tick.consensus_distance, tick.distance_to_mean,
                       tick.loss, tick.steps, tick.samples, tick.meetings);
  }
  const auto tick_vector = builder.CreateVectorOfStructs(ticks);
  std::vector<Offset<wire::Edge>> edges;
  edges.reserve(state.edges.size());
  for (const FrameEdge& edge : state.edges) {
    const auto failures = write_counts(builder, edge.failures);
    edges.push_back(wire::CreateEdge(builder, edge.peer, edge.in_graph, edge.target_rate, edge.meetings,
                                     failures, edge.sent_bytes, edge.received_bytes, edge.last_distance,
                                     edge.last_meeting));
  }
  const auto edge_vector = builder.CreateVector(edges);
  const auto ages = builder.CreateVector(state.heartbeat_ages);
  std::vector<wire::Event> events;
  events.reserve(state.events.size());
  for (const FrameEvent& event : state.events) {
    events.emplace_back(event.time, static_cast<std::uint8_t>(event.kind), event.reason, event.rank,
                        event.distance, event.seconds);
  }
  const auto event_vector = builder.CreateVectorOfStructs(events);
  return wire::CreateState(builder, static_cast<std::uint8_t>(state.phase), state.epoch, state.steps,
                           state.samples, state.meetings, step_duration, pairing_wait, pairing_duration,
                           state.shed_meetings, rejected, state.reconnects, state.broken_ticks,
                           state.dropped_events, state.wait_seconds, state.gate_seconds,
                           state.peer_wait_seconds, state.losses, state.loss, state.parameters_finite,
                           state.target_rate, state.target_rate_hertz, state.components, tick_vector,
                           edge_vector, ages, event_vector)
      .Union();
}

// ---- wire to values
// ----------------------------------------------------------------------------------------------

membership::Incarnation read_id(const wire::Id* id) {
  return id == nullptr ? membership::Incarnation{} : membership::Incarnation{id->high(), id->low()};
}

int read_rank(std::int32_t rank, const char* what) {
  if (rank < 0 || static_cast<std::size_t>(rank) >= kMostFrameMembers)
    throw Invalid{std::string(what) + " is " + std::to_string(rank)};
  return rank;
}

int read_number(std::int32_t number, const char* what) {
  if (number < 0) throw Invalid{std::string(what) + " is " + std::to_string(number)};
  return number;
}

/// A quantity that is measured: finite and not negative.
double read_real(double value, const char* what) {
  if (!(value >= 0.0) || std::isinf(value)) throw Invalid{std::string(what) + " is " + std::to_string(value)};
  return value;
}

/// One that is NaN, or infinite, where parameters are.
double read_distance(double value, const char* what) {
  if (value < 0.0) throw Invalid{std::string(what) + " is " + std::to_string(value)};
  return value;
}

/// Reads what FlatBuffers may refer to from many places, so that a few bytes could ask for gigabytes; ours
/// never do, so that all of it together is no longer than the frame.
class Reader {
 public:
  explicit Reader(std::size_t frame_size) : left_(frame_size) {}

  std::string text(const flatbuffers::String* from, const char* what) {
    const std::size_t size = take(checked_size(from, kLargestFrameText, what));
    return size == 0 ? std::string() : std::string(from->data(), size);
  }
  template <std::size_t kCount>
  std::array<std::uint64_t, kCount> counts(const flatbuffers::Vector<std::uint64_t>* from, const char* what) {
    std::array<std::uint64_t, kCount> counts{};
    const std::size_t size = checked_size(from, kCount, what, alignof(std::uint64_t));
    take(size * sizeof(std::uint64_t));
    for (std::size_t i = 0; i < size; ++i)
      counts[i] = from->Get(static_cast<flatbuffers::uoffset_t>(i));
    return counts;
  }
  Histogram histogram(const wire::Histogram* from, const char* what) {
    if (from == nullptr) return {};
    return {counts<kDurationBuckets>(from->counts(), what), read_real(from->sum(), what)};
  }

 private:
  std::size_t take(std::size_t size) {
    if (size > left_) throw Invalid{"its parts overlap"};
    left_ -= size;
    return size;
  }
  std::size_t left_;
};

FrameHeader read_header(const wire::Header& from, Reader reader) {
  FrameHeader header;
  header.started = read_real(from.started(), "its start");
  header.version = reader.text(from.version(), "its release");
  header.host = reader.text(from.host(), "its host");
  header.pid = from.pid();
  header.local_rank = read_number(from.local_rank(), "its local rank");
  header.world_size = read_number(from.world_size(), "its world size");
  header.algorithm = reader.text(from.algorithm(), "its algorithm");
  header.graph = reader.text(from.graph(), "its graph");
  header.transport = reader.text(from.transport(), "its transport");
  header.clock = reader.text(from.clock(), "its clock");
  header.pairing = reader.text(from.pairing(), "its pairing");
  header.rate = read_real(from.rate(), "its rate");
  header.wire_type = reader.text(from.wire_type(), "its wire type");
  header.parameters = from.parameters();
  header.parameter_bytes = from.parameter_bytes();
  header.chi1 = read_real(from.chi1(), "its chi1");
  header.chi2 = read_real(from.chi2(), "its chi2");
  header.eta = read_real(from.eta(), "its eta");
  header.alpha = read_real(from.alpha(), "its alpha");
  header.alpha_tilde = read_real(from.alpha_tilde(), "its alpha_tilde");
  header.tick_interval = read_real(from.tick_interval(), "its tick interval");
  header.frame_interval = read_real(from.frame_interval(), "its frame interval");
  header.gone_after = read_real(from.gone_after(), "its gone_after");
  header.epoch = from.epoch();
  header.edges_left_out = from.edges_left_out();
  const std::size_t edges =
      checked_size(from.edges(), kMostFrameEdges, "its graph", alignof(wire::GraphEdge));
  header.edges.reserve(edges);
  for (std::size_t i = 0; i < edges; ++i) {
    const wire::GraphEdge* edge = from.edges()->Get(static_cast<flatbuffers::uoffset_t>(i));
    header.edges.push_back({read_rank(edge->a(), "an edge's end"), read_rank(edge->b(), "an edge's end"),
                            read_real(edge->rate(), "an edge's rate")});
  }
  const std::size_t members = checked_size(from.roster(), kMostFrameMembers, "its roster");
  header.roster.reserve(members);
  for (std::size_t i = 0; i < members; ++i) {
    const wire::Member& member = *from.roster()->Get(static_cast<flatbuffers::uoffset_t>(i));
    FrameMember& into = header.roster.emplace_back();
    into.rank = read_rank(member.rank(), "a member's rank");
    into.incarnation = read_id(member.incarnation());
    into.host = reader.text(member.host(), "a member's host");
    into.pid = member.pid();
    into.local_rank = read_number(member.local_rank(), "a member's local rank");
    into.telemetry_address = reader.text(member.telemetry_address(), "a member's telemetry address");
    into.metrics_address = reader.text(member.metrics_address(), "a member's metrics address");
    into.phase = read_enum(member.phase(), membership::Phase::kGone, "a member's phase");
  }
  return header;
}

FrameEdge read_edge(const wire::Edge& from, Reader& reader) {
  FrameEdge edge;
  edge.peer = read_rank(from.peer(), "an edge's peer");
  edge.in_graph = from.in_graph();
  edge.target_rate = read_real(from.target_rate(), "an edge's rate");
  edge.meetings = from.meetings();
  edge.failures = reader.counts<kFailureReasons>(from.failures(), "an edge's failures");
  edge.sent_bytes = from.sent_bytes();
  edge.received_bytes = from.received_bytes();
  edge.last_distance = read_distance(from.last_distance(), "an edge's distance");
  edge.last_meeting = read_real(from.last_meeting(), "an edge's last meeting");
  return edge;
}

FrameTick read_tick(const wire::Tick& from) {
  return {.tick = from.tick(),
          .time = read_real(from.time(), "a tick's time"),
          .members = read_number(from.members(), "a tick's members"),
          .consensus_distance = read_distance(from.consensus_distance(), "a consensus distance"),
          .distance_to_mean = read_distance(from.distance_to_mean(), "a distance to the mean"),
          .loss = from.loss(),
          .steps = from.steps(),
          .samples = from.samples(),
          .meetings = from.meetings()};
}

FrameEvent read_event(const wire::Event& from) {
  FrameEvent event;
  event.time = read_real(from.time(), "an event's time");
  event.kind = read_enum(from.kind(), kLastEventKind, "an event's kind");
  event.reason = from.reason();
  if (event.kind == FrameEventKind::kMeetingFailed)
    read_enum(event.reason, FailureReason::kRejected, "a failure's reason");
  if (event.kind == FrameEventKind::kBlockRejected)
    read_enum(event.reason, RejectReason::kNonFinite, "a refusal's reason");
  event.rank = from.rank() == -1 ? -1 : read_rank(from.rank(), "an event's rank");
  event.distance = read_distance(from.distance(), "an event's distance");
  event.seconds = read_real(from.seconds(), "an event's duration");
  return event;
}

FrameState read_state(const wire::State& from, Reader reader) {
  FrameState state;
  state.phase = read_enum(from.phase(), membership::Phase::kGone, "its phase");
  state.epoch = from.epoch();
  state.steps = from.steps();
  state.samples = from.samples();
  state.meetings = from.meetings();
  state.step_duration = reader.histogram(from.step_duration(), "its step duration");
  state.pairing_wait = reader.histogram(from.pairing_wait(), "its waiting");
  state.pairing_duration = reader.histogram(from.pairing_duration(), "its meetings' duration");
  state.shed_meetings = from.shed_meetings();
  state.rejected_blocks = reader.counts<kRejectReasons>(from.rejected_blocks(), "its refused blocks");
  state.reconnects = from.reconnects();
  state.broken_ticks = from.broken_ticks();
  state.dropped_events = from.dropped_events();
  state.wait_seconds = read_real(from.wait_seconds(), "its wait");
  state.gate_seconds = read_real(from.gate_seconds(), "its wait for the gate");
  state.peer_wait_seconds = read_real(from.peer_wait_seconds(), "its wait for peers");
  state.losses = from.losses();
  state.loss = from.loss();
  state.parameters_finite = from.parameters_finite();
  state.target_rate = read_real(from.target_rate(), "its target rate");
  state.target_rate_hertz = read_real(from.target_rate_hertz(), "its target rate");
  state.components = read_number(from.components(), "its number of components");
  const std::size_t ticks = checked_size(from.ticks(), kMostFrameTicks, "its ticks", alignof(wire::Tick));
  for (std::size_t i = 0; i < ticks; ++i)
    state.ticks.push_back(read_tick(*from.ticks()->Get(static_cast<flatbuffers::uoffset_t>(i))));
  const std::size_t edges = checked_size(from.edges(), kMostFrameMembers, "its list of edges");
  state.edges.reserve(edges);
  for (std::size_t i = 0; i < edges; ++i)
    state.edges.push_back(read_edge(*from.edges()->Get(static_cast<flatbuffers::uoffset_t>(i)), reader));
  const std::size_t ages =
      checked_size(from.heartbeat_ages(), kMostFrameMembers, "its heartbeats", alignof(float));
  state.heartbeat_ages.reserve(ages);
  for (std::size_t i = 0; i < ages; ++i) {
    const float age = from.heartbeat_ages()->Get(static_cast<flatbuffers::uoffset_t>(i));
    state.heartbeat_ages.push_back(static_cast<float>(read_real(age, "a heartbeat's age")));
  }
  const std::size_t events =
      checked_size(from.events(), kMostFrameEvents, "its events", alignof(wire::Event));
  state.events.reserve(events);
  for (std::size_t i = 0; i < events; ++i)
    state.events.push_back(read_event(*from.events()->Get(static_cast<flatbuffers::uoffset_t>(i))));
  return state;
}

/// `data` is aligned for the widest field.
Frame read_frame(const std::uint8_t* data, std::size_t size) {
  if (size < 2 * sizeof(flatbuffers::uoffset_t) ||
      !flatbuffers::BufferHasIdentifier(data, wire::FrameIdentifier())) {
    throw Invalid{"it is no telemetry of Duet"};
  }
  flatbuffers::Verifier any(data, size, kLargestDepth, kMostTables);
  if (!any.VerifyBuffer<wire::AnyVersion>(wire::FrameIdentifier())) throw Invalid{"it is damaged"};
  const std::uint32_t version = flatbuffers::GetRoot<wire::AnyVersion>(data)->version();
  if (version != kFrameVersion) {
    throw Invalid{"it is of version " + std::to_string(version) + ", known here is version " +
                  std::to_string(kFrameVersion) + "; use the monitor of the workers' release of Duet"};
  }
  flatbuffers::Verifier verifier(data, size, kLargestDepth, kMostTables);
  if (!wire::VerifyFrameBuffer(verifier)) throw Invalid{"it is damaged"};

  const wire::Frame& from = *wire::GetFrame(data);
  Reader reader(size);
  Frame frame;
  frame.run_id = reader.text(from.run_id(), "its run id");
  frame.rank = read_rank(from.rank(), "its rank");
  frame.incarnation = read_id(from.incarnation());
  frame.sequence = from.sequence();
  frame.time = read_real(from.time(), "its time");
  if (from.content() == nullptr) throw Invalid{"it is empty"};
  switch (from.content_type()) {
    case wire::Content::Header:
      frame.content = read_header(*from.content_as_Header(), reader);
      return frame;
    case wire::Content::State:
      frame.content = read_state(*from.content_as_State(), reader);
      return frame;
    case wire::Content::NONE:
      break;
  }
  throw Invalid{"its content is of unknown type " + std::to_string(static_cast<int>(from.content_type()))};
}

}  // namespace

std::string encode(const Frame& frame) {
  FlatBufferBuilder builder(1024);
  const auto content =
      std::visit([&builder](const auto& value) { return write_content(builder, value); }, frame.content);
  const auto type =
      std::holds_alternative<FrameHeader>(frame.content) ? wire::Content::Header : wire::Content::State;
  const auto run_id = write_text(builder, frame.run_id);
  const wire::Id incarnation = to_wire(frame.incarnation);
  wire::FinishFrameBuffer(builder, wire::CreateFrame(builder, kFrameVersion, run_id, frame.rank, &incarnation,
                                                     frame.sequence, frame.time, type, content));
  require_size(builder.GetSize(), kLargestFrame, "a content");
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

std::optional<Frame> decode(std::string_view bytes, std::string* reason) {
  return support::decode_untrusted(bytes, kLargestFrame, kKind, "frame", reason, read_frame);
}

const char* to_string(FailureReason reason) {
  switch (reason) {
    case FailureReason::kOther:
      return "other";
    case FailureReason::kTimeout:
      return "timeout";
    case FailureReason::kPeerGone:
      return "peer_gone";
    case FailureReason::kTransport:
      return "transport";
    case FailureReason::kRejected:
      return "rejected";
  }
  return "unknown";
}

const char* to_string(RejectReason reason) {
  switch (reason) {
    case RejectReason::kHeader:
      return "header";
    case RejectReason::kChecksum:
      return "checksum";
    case RejectReason::kNonFinite:
      return "non_finite";
  }
  return "unknown";
}

const char* to_string(FrameEventKind kind) {
  switch (kind) {
    case FrameEventKind::kStarted:
      return "started";
    case FrameEventKind::kMeeting:
      return "meeting";
    case FrameEventKind::kMeetingFailed:
      return "meeting failed";
    case FrameEventKind::kBlockRejected:
      return "block rejected";
    case FrameEventKind::kMemberGone:
      return "member gone";
    case FrameEventKind::kMemberLeft:
      return "member left";
    case FrameEventKind::kGraphRepaired:
      return "graph repaired";
    case FrameEventKind::kGivenUp:
      return "given up by the others";
    case FrameEventKind::kFinished:
      return "finished";
  }
  return "unknown";
}

}  // namespace duet::telemetry
