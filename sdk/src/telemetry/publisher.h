#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace duet::telemetry {

struct PublisherOptions {
  std::string bind = "127.0.0.1";  ///< IPv4 address or host name, as the control channel's
  std::string told;                ///< what others are told instead of 0.0.0.0
  int port = 0;                    ///< 0: any free one
  /// As the control channel's: subscribers need it, too.
  std::string secret;
};

/// The socket that frames go out on (ZeroMQ, XPUB): whoever wants them subscribes. Nothing here ever waits
/// for a subscriber: each has a queue of its own, of which a full one loses the newest frames (it sees gaps
/// in their sequence). All calls from one thread.
class Publisher {
 public:
  /// Throws ConfigurationError when the address cannot be bound.
  explicit Publisher(const PublisherOptions& options);
  ~Publisher();  ///< what was published just before has 0.1 s to get out
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  const std::string& address() const;  ///< "tcp://127.0.0.1:29800"
  /// How many came since the last call; they know nothing yet.
  int take_new_subscribers();
  void publish(std::string_view frame);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// A port that is taken never stops training: then it is a warning and any free port; where no port can be
/// had at all, a warning and null. `port`: the one asked for.
std::unique_ptr<Publisher> open_publisher(PublisherOptions options, int rank);

}  // namespace duet::telemetry
