#pragma once

#include <memory>
#include <string>

namespace duet::observer {

/// A ZeroMQ SUB socket for telemetry, and the connections that it has. All calls from one thread.
class Subscriber {
 public:
  /// `secret`: the run's; empty: telemetry is not encrypted. Throws ConfigurationError where it cannot be
  /// used.
  explicit Subscriber(const std::string& secret);
  ~Subscriber();  ///< does not wait for anybody
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  /// False: that is no address that one can connect to, or there are no more sockets.
  bool connect(const std::string& endpoint);
  void disconnect(const std::string& endpoint);
  /// The next frame, if there is one now.
  bool receive(std::string& bytes);

  /// How the connections fare, as far as ZeroMQ tells.
  enum class Link { kNone, kConnecting, kConnected, kRefused };
  /// kRefused: somebody answers and does not let us in: another secret, or no ZeroMQ at all.
  Link link();

  void* handle();   ///< for zmq_poll: a frame is there
  void* monitor();  ///< for zmq_poll: link() may have changed

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::observer
