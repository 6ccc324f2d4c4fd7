#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "duet/error.h"

/// Small messages between workers over ZeroMQ: framing, reconnects, and (with a secret) CURVE encryption.
namespace duet::control {

struct ChannelOptions {
  std::string bind = "127.0.0.1";  ///< IPv4 address or host name; 0.0.0.0: all of this machine's
  int port = 0;                    ///< 0: any free one
  /// Whoever does not know it cannot complete a handshake. Choose it long and random: from a recorded
  /// connection a short one can be guessed.
  std::string secret = {};
  bool insecure = false;  ///< allow other addresses than loopback without a secret
  /// With bind 0.0.0.0: the others are told the address from which this machine reaches that host (the
  /// seed's). Empty: the one that it reaches the world from.
  std::string toward = {};
};

/// One worker's control socket: listens on one address, sends to many. All calls from one thread (the
/// constructor may run in another, before). Messages may be lost when a peer is away; they never block.
class Channel {
 public:
  /// Throws ConfigurationError when the address cannot be bound (names it, and what to do) or would need a
  /// secret.
  explicit Channel(const ChannelOptions& options);
  /// What was sent just before has 0.2 s to get out; takes hardly longer.
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// "tcp://127.0.0.1:40123", as others connect to it.
  const std::string& address() const;

  /// To a peer's listening address; connects on first use. Messages wait (1,000 of them at most) for a peer
  /// that is not there yet or not any more. False: dropped (queue full, or no address that one can connect
  /// to).
  bool send(const std::string& address, std::string_view bytes);
  /// Lets go of the connection to `address` and of what is queued for it.
  void forget(const std::string& address);

  struct Received {
    std::string bytes;
    /// For reply(): the sender's end, valid while it stays connected. Empty: the message is itself an answer.
    std::string return_route;
  };
  /// Next message, if there is one now.
  bool receive(Received& message);
  /// Answers someone whose listening address is not known (a joiner). The answer arrives through its
  /// receive(), as long as it does not forget() the address. False: dropped (the sender is away, queue full).
  bool reply(const std::string& return_route, std::string_view bytes);

  /// Sleeps until a message is there, one of `descriptors` is readable, or `seconds` have passed. What one
  /// call costs does not depend on the number of peers.
  void wait(double seconds, std::span<const int> descriptors = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::control
