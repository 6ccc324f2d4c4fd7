#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace duet::membership {

/// One life of one worker: a random 128-bit id. A restarted rank is a new member.
struct Incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Incarnation&) const = default;
  static Incarnation random();
  std::string text() const;  ///< as a UUID
};

/// A transport that a worker has open, and where others reach it there.
struct TransportAddress {
  std::string name;     ///< "libfabric"
  std::string address;  ///< opaque blob
  bool operator==(const TransportAddress&) const = default;
};

/// What a worker says about itself when it joins.
struct Entry {
  int rank = 0;
  int world_size = 1;
  Incarnation incarnation;
  std::string host;
  std::int64_t pid = 0;
  std::string control_address;               ///< "tcp://127.0.0.1:40123"
  std::vector<TransportAddress> transports;  ///< the preferred one first; one of a name
  std::uint64_t schema_hash = 0;             ///< of names, shapes, dtypes of the parameters
  std::string schema;                        ///< the same for people, possibly shortened
  std::string options;  ///< what must agree: algorithm, graph, rate, wire, block size; compared as text
  int local_rank = 0;
  std::string telemetry_address;  ///< "tcp://127.0.0.1:29800"; empty: none
  bool operator==(const Entry&) const = default;
};

/// All members of the run, by rank.
struct Roster {
  std::string run_id;
  std::vector<Entry> entries;
  std::string transport;  ///< the one in use, once it is chosen (choose_transport())

  /// Where `rank` is reached over the transport in use.
  const std::string& transport_address(int rank) const;
};

/// The first in rank 0's order that all members have: the same everywhere. Throws MembershipError that says
/// who has what when there is none.
std::string choose_transport(const std::vector<Entry>& entries);

/// "rank 3 (pid 4711 on node-2)".
std::string describe(const Entry& entry);

/// Throws MembershipError that names both sides where two entries cannot train together (model, options,
/// transport, world size, the same rank twice).
void require_compatible(const Entry& first, const Entry& second);

}  // namespace duet::membership
