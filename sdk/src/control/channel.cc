#include "control/channel.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>
#include <unordered_map>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "control/curve_keys.h"
#include "control/host_address.h"
#include "control/messages.h"
#include "support/log.h"
#include "support/zeromq.h"

namespace duet::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kQueueLength = 1000;         ///< messages per peer and direction
constexpr int kLingerMs = 200;             ///< for what was sent just before the end
constexpr int kReconnectMs = 10;           ///< doubled after every failure …
constexpr int kLongestReconnectMs = 1000;  ///< … up to this
/// What a peer's machine has not acknowledged by then was sent into an outage: a new connection is tried at
/// once, where TCP would double its pauses and be silent for as long again as the outage took, or longer when
/// several follow each other, and so beyond the time after which a worker counts as gone.
constexpr int kUnacknowledgedMs = 2000;
constexpr int kConnectMs = 1000;    ///< for one attempt, the same reason
constexpr int kBacklog = 1024;      ///< a whole run may join at once
constexpr int kMostSockets = 4096;  ///< of ZeroMQ, one per peer
constexpr int kMostMalformed = 64;  ///< looked at in one receive(): a flood of them must not hold the worker
constexpr unsigned kAnswersFirst = 16;  ///< every so many receives, so that neither kind starves the other
constexpr double kLongestWait = 3600.0;
constexpr std::size_t kShortSecret = 16;

timespec to_timespec(Clock::duration duration) {
  const auto ns = std::max<std::int64_t>(0, std::chrono::nanoseconds(duration).count());
  return {.tv_sec = static_cast<std::time_t>(ns / 1'000'000'000),
          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

/// An own descriptor, closed at the end.
class Epoll {
 public:
  Epoll() : descriptor_(epoll_create1(EPOLL_CLOEXEC)) {
    if (descriptor_ < 0)
      throw Error(std::string("no epoll descriptor for the control channel: ") + strerror(errno));
  }
  ~Epoll() { close(descriptor_); }
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;

  int descriptor() const { return descriptor_; }
  void add(int descriptor, void* tag) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = tag;
    if (epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
      throw Error(std::string("the control channel cannot watch a socket: ") + strerror(errno));
    }
  }
  void remove(int descriptor) const { epoll_ctl(descriptor_, EPOLL_CTL_DEL, descriptor, nullptr); }

 private:
  int descriptor_;
};

/// A ZeroMQ socket and what is known about it. Its descriptor tells of *changes* only (it is edge-triggered),
/// and any call may swallow one. So a socket is `touched` from any such call until a receive has found
/// nothing; only then can the descriptor be trusted.
struct Link {
  explicit Link(zmq::socket_t owned) : socket(std::move(owned)), descriptor(socket.get(zmq::sockopt::fd)) {}
  zmq::socket_t socket;
  int descriptor;
  bool touched = false;

  bool send(std::string_view bytes, zmq::send_flags more = zmq::send_flags::none) {
    return support::uninterrupted(
        [&] { return socket.send(zmq::buffer(bytes), zmq::send_flags::dontwait | more).has_value(); });
  }
  bool receive(zmq::message_t& frame) { return support::receive_now(socket, frame); }
  bool readable() {
    return support::uninterrupted([&] { return (socket.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; });
  }
};

zmq::context_t new_context() {
  support::keep_zeromq_set_up();
  return zmq::context_t();
}

void set_common_options(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::linger, kLingerMs);
  socket.set(zmq::sockopt::sndhwm, kQueueLength);
  socket.set(zmq::sockopt::rcvhwm, kQueueLength);
  socket.set(zmq::sockopt::tcp_maxrt, kUnacknowledgedMs);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kLargestMessage));
}

void set_key(zmq::socket_t& socket, int option, const std::array<std::uint8_t, 32>& key) {
  if (zmq_setsockopt(socket.handle(), option, key.data(), key.size()) != 0) {
    throw ConfigurationError(std::string("the secret cannot be used: ZeroMQ refuses the key: ") +
                             zmq_strerror(zmq_errno()));
  }
}

std::string bind_failure(const std::string& endpoint, int error) {
  std::string advice = "check the address and port to bind";
  if (error == EADDRINUSE) {
    advice =
        "another program, perhaps a worker of an earlier run, listens there: end it, or choose another port "
        "(for "
        "seed://host:port the same on all workers)";
  } else if (error == EADDRNOTAVAIL || error == ENODEV) {
    advice = "that address is none of this machine's: bind one that is, or 0.0.0.0 for all of them";
  } else if (error == EACCES) {
    advice = "ports below 1024 are reserved: choose a higher one";
  }
  return fmt::format("cannot listen for control messages on {}: {}; {}", endpoint, zmq_strerror(error),
                     advice);
}

}  // namespace

class Channel::Impl {
 public:
  explicit Impl(const ChannelOptions& options) : secure_(!options.secret.empty()), context_(new_context()) {
    const std::string host = resolve_host(options.bind);
    if (host.empty()) {
      throw ConfigurationError(
          fmt::format("cannot listen on \"{}\": it is no IPv4 address and no known host name; bind "
                      "127.0.0.1, an address of this "
                      "machine, or 0.0.0.0",
                      options.bind));
    }
    if (!is_loopback(host) && !secure_ && !options.insecure) {
      throw ConfigurationError(
          fmt::format("listening on {} would let everyone on the network join this run: set a secret that "
                      "all workers share "
                      "(DUET_SECRET), or allow it explicitly (DUET_INSECURE=1)",
                      options.bind));
    }
    if (options.port < 0 || options.port > 65535) {
      throw ConfigurationError(
          fmt::format("cannot listen on port {}: choose one from 1 to 65535, or 0 for any", options.port));
    }
    if (secure_) {
      if (zmq_has("curve") == 0) {
        throw ConfigurationError(
            "a secret is set, but this ZeroMQ was built without CURVE: install one that has it");
      }
      if (options.secret.size() < kShortSecret) {
        support::warning(
            "the run's secret has only {} characters: choose a longer, random one (openssl rand -hex 32)",
            options.secret.size());
      }
      derive_server_keys(options.secret, server_keys_);
      make_client_keys(client_keys_);
    }
    context_.set(zmq::ctxopt::io_threads, 1);
    context_.set(zmq::ctxopt::max_sockets, std::min(kMostSockets, context_.get(zmq::ctxopt::socket_limit)));
    listen(host, options);
  }

  ~Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const std::string& address() const { return address_; }

  bool send(const std::string& address, std::string_view bytes) {
    Link* const link = link_to(address);
    if (link == nullptr) return false;
    touch(*link);
    return link->send(bytes);
  }

  void forget(const std::string& address) {
    const auto found = links_.find(address);
    if (found == links_.end()) return;
    Link* const link = found->second.get();
    std::erase(touched_, link);
    epoll_.remove(link->descriptor);
    link->socket.set(zmq::sockopt::linger, 0);
    links_.erase(found);
  }

  bool receive(Received& message) {
    const bool answers_first = ++turn_ % kAnswersFirst == 0;
    if (answers_first && receive_answer(message)) return true;
    if (receive_request(message)) return true;
    return !answers_first && receive_answer(message);
  }

  bool reply(const std::string& return_route, std::string_view bytes) {
    if (return_route.empty()) return false;
    listener_->touched = true;
    try {
      // Both frames or none: a ROUTER decides at the first one whether the peer can take more.
      return listener_->send(return_route, zmq::send_flags::sndmore) && listener_->send(bytes);
    } catch (const zmq::error_t& error) {
      if (error.num() == EHOSTUNREACH) return false;
      throw;
    }
  }

  void wait(double seconds, std::span<const int> descriptors) {
    const double bounded = std::isnan(seconds) ? 0.0 : std::clamp(seconds, 0.0, kLongestWait);
    const Clock::time_point deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(bounded));
    polled_.clear();
    polled_.push_back({.fd = epoll_.descriptor(), .events = POLLIN, .revents = 0});
    for (const int descriptor : descriptors)
      polled_.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});

    while (!something_to_read()) {
      const timespec left = to_timespec(deadline - Clock::now());
      const int ready = ppoll(polled_.data(), polled_.size(), &left, nullptr);
      if (ready == 0) return;
      if (ready < 0 && errno != EINTR) return;
      if (ready > 0) {
        if (std::any_of(polled_.begin() + 1, polled_.end(),
                        [](const pollfd& entry) { return entry.revents != 0; })) {
          return;
        }
        collect_signalled();
      }
      if (Clock::now() >= deadline) return;
    }
  }

 private:
  void listen(const std::string& host, const ChannelOptions& options) {
    zmq::socket_t socket(context_, zmq::socket_type::router);
    set_common_options(socket);
    socket.set(zmq::sockopt::backlog, kBacklog);
    socket.set(zmq::sockopt::router_mandatory, true);
    if (secure_) {
      socket.set(zmq::sockopt::curve_server, true);
      set_key(socket, ZMQ_CURVE_SECRETKEY, server_keys_.secret_key);
    }
    const std::string endpoint =
        fmt::format("tcp://{}:{}", host, options.port == 0 ? "*" : std::to_string(options.port));
    try {
      support::uninterrupted([&] { socket.bind(endpoint); });
    } catch (const zmq::error_t& error) {
      throw ConfigurationError(bind_failure(endpoint, error.num()));
    }
    const std::string bound = socket.get(zmq::sockopt::last_endpoint);
    const std::string port = bound.substr(bound.rfind(':') + 1);
    address_ = fmt::format("tcp://{}:{}", is_any(host) ? own_address_toward(options.toward) : host, port);
    listener_ = std::make_unique<Link>(std::move(socket));
    listener_->touched = true;
    epoll_.add(listener_->descriptor, listener_.get());
  }

  Link* link_to(const std::string& address) {
    if (const auto found = links_.find(address); found != links_.end()) return found->second.get();
    try {
      zmq::socket_t socket(context_, zmq::socket_type::dealer);
      set_common_options(socket);
      socket.set(zmq::sockopt::connect_timeout, kConnectMs);
      socket.set(zmq::sockopt::reconnect_ivl, kReconnectMs);
      socket.set(zmq::sockopt::reconnect_ivl_max, kLongestReconnectMs);
      if (secure_) {
        set_key(socket, ZMQ_CURVE_SERVERKEY, server_keys_.public_key);
        set_key(socket, ZMQ_CURVE_PUBLICKEY, client_keys_.public_key);
        set_key(socket, ZMQ_CURVE_SECRETKEY, client_keys_.secret_key);
      }
      support::uninterrupted([&] { socket.connect(address); });
      auto link = std::make_unique<Link>(std::move(socket));
      epoll_.add(link->descriptor, link.get());
      return links_.emplace(address, std::move(link)).first->second.get();
    } catch (const zmq::error_t& error) {
      // Nothing that a peer says may end this worker; too many open files may pass.
      if (address != unreachable_)
        support::warning("cannot connect to the control address \"{}\": {}", address, error.what());
      unreachable_ = address;
      return nullptr;
    }
  }

  void touch(Link& link) {
    if (link.touched) return;
    link.touched = true;
    touched_.push_back(&link);
  }

  bool receive_request(Received& message) {
    for (int malformed = 0; malformed < kMostMalformed; ++malformed) {
      zmq::message_t route, body;
      if (!listener_->receive(route)) {
        listener_->touched = false;
        return false;
      }
      listener_->touched = true;
      // Messages arrive whole, so the further frames are there.
      if (!route.more() || !listener_->receive(body)) continue;
      if (body.more()) {
        while (body.more() && listener_->receive(body)) {
        }
        continue;
      }
      support::copy_frame(route, message.return_route);
      support::copy_frame(body, message.bytes);
      return true;
    }
    return false;
  }

  bool receive_answer(Received& message) {
    if (links_.empty()) return false;
    if (touched_.empty()) collect_signalled();
    while (!touched_.empty()) {
      Link& link = *touched_.back();
      zmq::message_t body;
      if (!link.receive(body)) {
        link.touched = false;
        touched_.pop_back();
        continue;
      }
      if (body.more()) {
        while (body.more() && link.receive(body)) {
        }
        continue;
      }
      message.return_route.clear();
      support::copy_frame(body, message.bytes);
      return true;
    }
    return false;
  }

  /// Marks the sockets whose descriptors have news.
  void collect_signalled() {
    epoll_event events[64];
    const int count = epoll_wait(epoll_.descriptor(), events, 64, 0);
    for (int i = 0; i < count; ++i) {
      Link& link = *static_cast<Link*>(events[i].data.ptr);
      if (&link == listener_.get()) {
        link.touched = true;
      } else {
        touch(link);
      }
    }
  }

  /// Asks the touched sockets.
  bool something_to_read() {
    if (listener_->touched) {
      if (listener_->readable()) return true;
      listener_->touched = false;
    }
    while (!touched_.empty()) {
      if (touched_.back()->readable()) return true;
      touched_.back()->touched = false;
      touched_.pop_back();
    }
    return false;
  }

  bool secure_;
  CurveKeys server_keys_, client_keys_;
  std::string address_;
  std::string unreachable_;  ///< the last one that was warned of
  zmq::context_t context_;   // before the sockets: its destructor waits for them
  Epoll epoll_;
  std::unique_ptr<Link> listener_;
  std::unordered_map<std::string, std::unique_ptr<Link>> links_;
  std::vector<Link*> touched_;  ///< of links_, those that may have something to read
  std::vector<pollfd> polled_;
  unsigned turn_ = 0;
};

Channel::Channel(const ChannelOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Channel::~Channel() = default;
const std::string& Channel::address() const {
  return impl_->address();
}
bool Channel::send(const std::string& address, std::string_view bytes) {
  return impl_->send(address, bytes);
}
void Channel::forget(const std::string& address) {
  impl_->forget(address);
}
bool Channel::receive(Received& message) {
  return impl_->receive(message);
}
bool Channel::reply(const std::string& return_route, std::string_view bytes) {
  return impl_->reply(return_route, bytes);
}
void Channel::wait(double seconds, std::span<const int> descriptors) {
  impl_->wait(seconds, descriptors);
}

}  // namespace duet::control
