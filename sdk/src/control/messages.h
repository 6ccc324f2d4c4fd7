#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "membership/addresses.h"
#include "membership/members.h"
#include "membership/roster.h"
#include "pairing/message.h"

/// The small messages between workers, as values. messages.fbs is how they look on the wire; decode()
/// verifies before it believes. Pure and thread-safe.
namespace duet::control {

/// In every message.
struct Header {
  std::uint64_t run = 0;  ///< hash of the run id; 0 before the roster is known
  std::uint64_t epoch = 0;
  int rank = 0;  ///< sender
  membership::Incarnation from = {};
  membership::Incarnation to = {};  ///< zero: not known yet
  bool operator==(const Header&) const = default;
};

// ---- joining ----
struct Join {
  membership::Entry entry;
  bool operator==(const Join&) const = default;
};
struct JoinPending {  ///< the seed is there and waits for the ranks that are missing
  std::vector<int> missing;
  bool operator==(const JoinPending&) const = default;
};
struct JoinRefused {
  std::string reason;
  bool timed_out = false;  ///< nothing is wrong with anyone, but ranks are missing
  bool operator==(const JoinRefused&) const = default;
};
struct Joined {
  std::string run_id;
  std::vector<membership::Entry> entries;
  bool operator==(const Joined&) const = default;
};

// ---- living ----
struct Heartbeat {
  std::vector<membership::MemberState> states = {};      ///< by rank
  std::vector<membership::ServiceAddress> metrics = {};  ///< of those that ever had one
  bool operator==(const Heartbeat&) const = default;
};
struct Pair {
  pairing::Message message;
  /// kOffer: the data session that the offerer still holds with the receiver (0: none). kAccept: the one to
  /// use: that same one, or a new one (= the meeting's token) for which both sides open a fresh connection.
  std::uint64_t session = 0;
  /// kAccept with a new session, over a transport that asks for one (duet_transport::make_ticket).
  std::string ticket;
  /// kOffer: the α̃ − α by which both sides go in this meeting. While workers are learning that the graph has
  /// changed, their own may differ; with one of them the run's invariant stands.
  double momentum = 0.0;
  bool operator==(const Pair&) const = default;
};

// ---- the tree ----
/// Sums over a subtree at one tick (up), or over all members (down).
struct TickSums {
  std::uint64_t tick = 0;
  std::uint64_t tree = 0;  ///< Members::live_hash() behind the tree: parts of different trees never mix
  std::uint64_t members = 0;
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::uint64_t meeting_ends = 0;  ///< each meeting is counted at both ends
  std::uint64_t losses = 0;        ///< workers that reported one
  double loss_sum = 0.0;
  double squared_deviations = 0.0;  ///< Σ ‖sketch_i − mean sketch of these members‖²
  std::vector<double> sketch;       ///< Σ sketch_i
  bool operator==(const TickSums&) const = default;
};
struct TickUp {
  TickSums sums;
  bool operator==(const TickUp&) const = default;
};
struct TickDown {
  TickSums sums;
  bool operator==(const TickDown&) const = default;
};

// ---- gathering ----
struct Part {  ///< one worker's text for gather(), sent to the lowest live rank until acknowledged
  std::uint64_t round = 0;
  std::string text;
  bool operator==(const Part&) const = default;
};
struct PartReceived {
  std::uint64_t round = 0;
  bool operator==(const PartReceived&) const = default;
};

// ---- tickets of the tree's connections ----
/// A child to its parent, over a transport that asks for tickets: again and again until the answer comes.
struct TicketRequest {
  std::uint64_t session = 0;
  bool operator==(const TicketRequest&) const = default;
};
/// A parent to its child: what it needs in order to connect under `session`.
struct Ticket {
  std::uint64_t session = 0;
  std::string ticket;
  bool operator==(const Ticket&) const = default;
};

using Body = std::variant<Join, JoinPending, JoinRefused, Joined, Heartbeat, Pair, TickUp, TickDown, Part,
                          PartReceived, TicketRequest, Ticket>;

struct Message {
  Header header;
  Body body;
  bool operator==(const Message&) const = default;
};

/// What a message may hold at most. encode() throws std::length_error for more, decode() refuses it.
constexpr std::size_t kLargestMessage = 64u << 20;  ///< bytes
constexpr std::size_t kLargestText = 32u << 20;     ///< bytes of Part::text and of Entry::schema
constexpr std::size_t kLargestLabel = 64u << 10;    ///< bytes of any other text and of a transport's address
constexpr int kMostTransports = 16;                 ///< of one entry
constexpr int kLargestWorld = 65536;                ///< workers
constexpr std::size_t kLargestSketch = 1u << 16;    ///< numbers
constexpr std::size_t kLargestTicket = 256;         ///< bytes; as duet_transport::make_ticket has it

/// Header::run of a run id; never 0.
std::uint64_t run_hash(std::string_view run_id);

std::string encode(const Message& message);
/// nullopt, and *reason where given, when the bytes are not a valid message of this version.
std::optional<Message> decode(std::string_view bytes, std::string* reason = nullptr);

}  // namespace duet::control
