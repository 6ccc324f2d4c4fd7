#pragma once

#include <netinet/in.h>

#include <string>

namespace duet::libfabric {

/// "127.0.0.1:4567".
std::string to_text(const sockaddr_in& address);

/// Where a context listens, and what others need to know to tell whether they can get there.
struct EndpointAddress {
  std::string provider;
  sockaddr_in address{};
  std::string machine;  ///< machine_identity() there
  std::string others;   ///< with a loopback address: what other interfaces there are, for messages

  /// What a context publishes and connect() takes: "duet-libfabric:tcp://127.0.0.1:4567 MACHINE OTHERS".
  /// Text, so that a roster or a capture of one can be read by a human, and so that a mix-up of providers has
  /// a clear error. At most 512 bytes.
  std::string blob() const;

  /// Throws FailureError (DUET_MISUSE), with the name of the peer, when the bytes are no such blob, or name
  /// another provider than ours.
  static EndpointAddress parse(const std::string& blob, const std::string& our_provider,
                               const std::string& peer);
};

/// Why `to` cannot be reached from `own`, as far as the addresses tell; empty: it may work. A loopback
/// address leads to whatever listens there on *this* machine, so it must never be used for another.
std::string why_unreachable(const EndpointAddress& own, const EndpointAddress& to);

}  // namespace duet::libfabric
