#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "duet/error.h"

/// Small messages between workers over ZeroMQ: framing, reconnects, and (with a secret) CURVE encryption.
namespace duet::control {

struct ChannelOptions {
  std::string bind = "127.0.0.1";
  int port = 0;        ///< 0: any free one
  std::string secret;  ///< whoever does not know it cannot complete a handshake
  bool insecure = false;
};

/// One worker's control socket: listens on one address, sends to many. All calls from one thread (the
/// constructor may run in another, before). Messages may be lost when a peer is away; they never block.
class Channel {
 public:
  /// Throws ConfigurationError when the address cannot be bound (names it, and what to do) or would need a
  /// secret.
  explicit Channel(const ChannelOptions& options);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// "tcp://127.0.0.1:40123", as others connect to it.
  const std::string& address() const;

  /// To a peer's listening address; connects on first use. False: dropped (queue full).
  bool send(const std::string& address, std::string_view bytes);
  /// Lets go of the connection to `address` and of what is queued for it.
  void forget(const std::string& address);

  struct Received {
    std::string bytes;
    std::string return_route;  ///< for reply(): the sender's end, valid while it stays connected
  };
  /// Next message, if there is one now.
  bool receive(Received& message);
  /// Answers someone whose listening address is not known (a joiner). The answer arrives through its
  /// receive().
  bool reply(const std::string& return_route, std::string_view bytes);

  /// Sleeps until a message is there, one of `descriptors` is readable, or `seconds` have passed.
  void wait(double seconds, std::span<const int> descriptors = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::control
