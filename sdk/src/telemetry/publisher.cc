#include "telemetry/publisher.h"

#include <zmq.hpp>

#include "control/curve_keys.h"
#include "control/host_address.h"
#include "duet/error.h"
#include "support/log.h"
#include "support/zeromq.h"

namespace duet::telemetry {
namespace {

constexpr int kQueueLength = 64;  ///< frames per subscriber: some ten seconds
constexpr int kLingerMs = 100;    ///< for the last frame
/// Bytes of a subscription, and of CURVE's handshake before it; whoever sends more is cut off.
constexpr int kLargestRequest = 2048;
constexpr int kMostRequests = 1024;  ///< looked at in one call: a flood must not hold the worker
constexpr int kHeartbeatMs = 5000;   ///< subscribers that are silent for three of these are let go
constexpr int kBacklog = 128;

}  // namespace

class Publisher::Impl {
 public:
  explicit Impl(const PublisherOptions& options) : socket_(context_, zmq::socket_type::xpub) {
    const std::string host = control::resolve_host(options.bind);
    if (host.empty()) throw ConfigurationError(fmt::format("\"{}\" is no address", options.bind));
    socket_.set(zmq::sockopt::linger, kLingerMs);
    socket_.set(zmq::sockopt::sndhwm, kQueueLength);
    socket_.set(zmq::sockopt::rcvhwm, kMostRequests);
    socket_.set(zmq::sockopt::maxmsgsize, std::int64_t{kLargestRequest});
    socket_.set(zmq::sockopt::backlog, kBacklog);
    socket_.set(zmq::sockopt::heartbeat_ivl, kHeartbeatMs);
    socket_.set(zmq::sockopt::heartbeat_timeout, 3 * kHeartbeatMs);
    // Of each subscriber, not of the first one alone.
    socket_.set(zmq::sockopt::xpub_verbose, true);
    if (!options.secret.empty()) {
      control::derive_server_keys(options.secret, keys_);
      socket_.set(zmq::sockopt::curve_server, true);
      if (zmq_setsockopt(socket_.handle(), ZMQ_CURVE_SECRETKEY, keys_.secret_key.data(),
                         keys_.secret_key.size()) != 0) {
        throw ConfigurationError(fmt::format("ZeroMQ refuses the key: {}", zmq_strerror(zmq_errno())));
      }
    }
    const std::string endpoint =
        fmt::format("tcp://{}:{}", host, options.port == 0 ? "*" : std::to_string(options.port));
    try {
      support::uninterrupted([&] { socket_.bind(endpoint); });
    } catch (const zmq::error_t& error) {
      throw ConfigurationError(fmt::format("{}: {}", endpoint, error.what()));
    }
    const std::string bound = socket_.get(zmq::sockopt::last_endpoint);
    const std::string told = control::is_any(host) && !options.told.empty() ? options.told : host;
    address_ = fmt::format("tcp://{}:{}", told, bound.substr(bound.rfind(':') + 1));
  }

  const std::string& address() const { return address_; }

  int take_new_subscribers() {
    int subscribers = 0;
    for (int i = 0; i < kMostRequests; ++i) {
      zmq::message_t request;
      if (!support::receive_now(socket_, request)) break;
      // 1: subscribes, 0: no more. Anything else a stranger made up.
      if (!request.empty() && *request.data<unsigned char>() == 1) ++subscribers;
    }
    return subscribers;
  }

  void publish(std::string_view frame) {
    // To those who have room. It cannot fail for want of it: that is XPUB's rule.
    support::uninterrupted([&] { return socket_.send(zmq::buffer(frame), zmq::send_flags::dontwait); });
  }

 private:
  zmq::context_t context_;
  control::CurveKeys keys_;
  zmq::socket_t socket_;
  std::string address_;
};

Publisher::Publisher(const PublisherOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Publisher::~Publisher() = default;
const std::string& Publisher::address() const {
  return impl_->address();
}
int Publisher::take_new_subscribers() {
  return impl_->take_new_subscribers();
}
void Publisher::publish(std::string_view frame) {
  impl_->publish(frame);
}

std::unique_ptr<Publisher> open_publisher(PublisherOptions options, int rank) {
  try {
    return std::make_unique<Publisher>(options);
  } catch (const std::exception& first) {
    if (options.port == 0) {
      support::warning("rank {}: no telemetry: {}; training goes on without", rank, first.what());
      return nullptr;
    }
    try {
      options.port = 0;
      auto publisher = std::make_unique<Publisher>(options);
      support::warning("rank {}: telemetry cannot be where it was asked for ({}); it is at {} instead", rank,
                       first.what(), publisher->address());
      return publisher;
    } catch (const std::exception& second) {
      support::warning("rank {}: no telemetry: {}; training goes on without", rank, second.what());
      return nullptr;
    }
  }
}

}  // namespace duet::telemetry
