#pragma once

#include <cstdint>
#include <string>

namespace duet::transport {

/// What the fault-injecting decorator does to a transport. Probabilities are per message, in [0, 1].
struct Faults {
  double delay = 0.0;      ///< seconds that every received message is held back
  double bandwidth = 0.0;  ///< bytes per second and direction of a connection; 0: no limit
  double drop =
      0.0;  ///< a send is swallowed, and with it whatever its connection sends after it: an ordered stream
            ///< that has lost a message stalls, so the peer's receives run into their deadlines
  double corrupt = 0.0;      ///< one bit of a received message is flipped
  double disconnect = 0.0;   ///< the connection breaks instead of sending
  double slow_edges = 0.0;   ///< this fraction of the connections (the same ones seen from both ends) …
  double slow_factor = 1.0;  ///< … has this many times the delay, and the bandwidth divided by it
  std::uint64_t seed = 0;    ///< same seed and same sessions: same faults

  bool operator==(const Faults&) const = default;
};

/// "delay=0.002,bandwidth=1e8,drop=0.01,corrupt=0.001,disconnect=0.001,edges=0.25:5,seed=7", in any order,
/// each once. Throws ConfigurationError that names the bad item.
Faults parse_faults(const std::string& text);

/// The same, for messages: only what is not the default.
std::string to_string(const Faults& faults);

}  // namespace duet::transport
