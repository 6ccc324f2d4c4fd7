#include "subscriber.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <zmq.hpp>

#include "control/curve_keys.h"
#include "duet/error.h"
#include "support/zeromq.h"
#include "telemetry/frame.h"

namespace duet::observer {
namespace {

constexpr int kQueueLength = 256;          ///< frames per connection; beyond, ZeroMQ drops
constexpr int kReconnectMs = 100;          ///< doubled after every failure …
constexpr int kLongestReconnectMs = 2000;  ///< … up to this
constexpr int kHeartbeatMs = 2000;         ///< a host that vanished sends no farewell
constexpr int kHandshakeMs = 5000;
constexpr int kMostSockets = 64;

std::unique_ptr<zmq::context_t> new_context() {
  support::keep_zeromq_set_up();
  return std::make_unique<zmq::context_t>();
}

void set_key(zmq::socket_t& socket, int option, const std::array<std::uint8_t, 32>& key) {
  if (zmq_setsockopt(socket.handle(), option, key.data(), key.size()) != 0) {
    throw ConfigurationError(std::string("the secret cannot be used: ZeroMQ refuses the key: ") +
                             zmq_strerror(zmq_errno()));
  }
}

}  // namespace

class Subscriber::Impl {
 public:
  explicit Impl(const std::string& secret)
      : context_(new_context()),
        socket_(make_socket(*context_)),
        monitor_(*context_, zmq::socket_type::pair) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvhwm, kQueueLength);
    socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(telemetry::kLargestFrame));
    socket_.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
    socket_.set(zmq::sockopt::reconnect_ivl_max, kLongestReconnectMs);
    socket_.set(zmq::sockopt::heartbeat_ivl, kHeartbeatMs);
    socket_.set(zmq::sockopt::heartbeat_timeout, 3 * kHeartbeatMs);
    socket_.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
    socket_.set(zmq::sockopt::ipv6, true);
    socket_.set(zmq::sockopt::subscribe, "");
    if (!secret.empty()) {
      if (zmq_has("curve") == 0)
        throw ConfigurationError(
            "a secret is given, but this ZeroMQ was built without CURVE: install one that has it");
      control::CurveKeys server, client;
      control::derive_server_keys(secret, server);
      control::make_client_keys(client);
      set_key(socket_, ZMQ_CURVE_SERVERKEY, server.public_key);
      set_key(socket_, ZMQ_CURVE_PUBLICKEY, client.public_key);
      set_key(socket_, ZMQ_CURVE_SECRETKEY, client.secret_key);
    }
    static std::atomic<std::uint64_t> number{0};
    const std::string name = "inproc://duet-observer-" + std::to_string(++number);
    const int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECT_RETRIED |
                       ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    monitor_.set(zmq::sockopt::linger, 0);
    if (zmq_socket_monitor(socket_.handle(), name.c_str(), events) == 0) monitor_.connect(name);
  }
  ~Impl() {
    zmq_socket_monitor(socket_.handle(), nullptr, 0);
    socket_.close();
    monitor_.close();
    // ZeroMQ's thread may be looking up a name, for as long as the resolver takes; nobody waits for that.
    std::thread([context = context_.release()] { delete context; }).detach();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool connect(const std::string& endpoint) {
    try {
      support::uninterrupted([&] { socket_.connect(endpoint); });
      return true;
    } catch (const zmq::error_t&) {
      return false;
    }
  }

  void disconnect(const std::string& endpoint) {
    try {
      support::uninterrupted([&] { socket_.disconnect(endpoint); });
    } catch (const zmq::error_t&) {
      // It was not connected.
    }
  }

  bool receive(std::string& bytes) {
    for (;;) {
      zmq::message_t part;
      if (!support::receive_now(socket_, part)) return false;
      const bool whole = !part.more();
      while (part.more() && support::receive_now(socket_, part)) {
      }
      if (!whole) continue;  // a frame has one part
      support::copy_frame(part, bytes);
      return true;
    }
  }

  Link link() {
    for (;;) {
      zmq::message_t event, address;
      if (!support::receive_now(monitor_, event)) return link_;
      if (event.more() && !support::receive_now(monitor_, address)) return link_;
      std::string bytes;
      support::copy_frame(event, bytes);
      if (bytes.size() < sizeof(std::uint16_t)) continue;
      std::uint16_t kind = 0;
      std::memcpy(&kind, bytes.data(), sizeof kind);
      switch (kind) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
          link_ = Link::kConnected;
          break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
          link_ = Link::kRefused;
          break;
        case ZMQ_EVENT_DISCONNECTED:
          // Whoever is refused is disconnected, too, and that says less.
          if (link_ != Link::kRefused) link_ = Link::kConnecting;
          break;
        case ZMQ_EVENT_CONNECT_DELAYED:
        case ZMQ_EVENT_CONNECT_RETRIED:
          if (link_ == Link::kNone) link_ = Link::kConnecting;
          break;
        default:
          break;
      }
    }
  }

  void* handle() { return socket_.handle(); }
  void* monitor() { return monitor_.handle(); }

 private:
  static zmq::socket_t make_socket(zmq::context_t& context) {
    context.set(zmq::ctxopt::io_threads, 1);
    context.set(zmq::ctxopt::max_sockets, kMostSockets);
    return {context, zmq::socket_type::sub};
  }

  std::unique_ptr<zmq::context_t> context_;
  zmq::socket_t socket_;
  zmq::socket_t monitor_;
  Link link_ = Link::kNone;
};

Subscriber::Subscriber(const std::string& secret) : impl_(std::make_unique<Impl>(secret)) {}
Subscriber::~Subscriber() = default;
bool Subscriber::connect(const std::string& endpoint) {
  return impl_->connect(endpoint);
}
void Subscriber::disconnect(const std::string& endpoint) {
  impl_->disconnect(endpoint);
}
bool Subscriber::receive(std::string& bytes) {
  return impl_->receive(bytes);
}
Subscriber::Link Subscriber::link() {
  return impl_->link();
}
void* Subscriber::handle() {
  return impl_->handle();
}
void* Subscriber::monitor() {
  return impl_->monitor();
}

}  // namespace duet::observer
