#include "http_server.h"

#include <httplib.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>

#include "bounded_stream.h"
#include "growing_pool.h"

namespace duet::exporter {
namespace {

constexpr std::size_t kMostThreads = 64;
constexpr std::size_t kLargestBody = 4096;  ///< bytes; nobody has a reason to send one
constexpr int kBacklog = 256;               ///< httplib's own is 5: a burst of scrapes would wait a second

/// httplib's, with connections that are bounded and can be cut off.
class Server : public httplib::Server {
 public:
  /// httplib listens with a short queue; the socket is a subclass' to see.
  bool lengthen_queue() { return ::listen(svr_sock_, kBacklog) == 0; }

  /// Whoever is connected, or still will be, is sent away.
  void cut_off() {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const socket_t socket : open_)
      ::shutdown(socket, SHUT_RDWR);
  }

 private:
  /// One answer a connection: an idle one would hold a thread.
  bool process_and_close_socket(socket_t socket) override {
    bool done = false;
    try {
      if (enter(socket)) {
        BoundedStream stream(socket);
        bool closed = false;
        done = process_request(stream, true, closed, nullptr);
      }
    } catch (...) {
      // Out of memory, most likely: this client gets nothing, the thread goes on.
    }
    // Its number may be another connection's once it is closed.
    leave(socket);
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return done;
  }
  bool enter(socket_t socket) {
    const std::lock_guard lock(mutex_);
    if (!closing_) open_.insert(socket);
    return !closing_;
  }
  void leave(socket_t socket) {
    const std::lock_guard lock(mutex_);
    open_.erase(socket);
  }

  std::mutex mutex_;  ///< guards what follows
  std::set<socket_t> open_;
  bool closing_ = false;
};

void answer(const HttpServer::Handler& handler, httplib::Response& response) {
  Reply reply;
  try {
    reply = handler();
  } catch (const std::exception& error) {
    reply = Reply::text(500, std::string("this page failed: ") + error.what() + "\n");
  }
  response.status = reply.status;
  response.set_content(reply.body, reply.type.c_str());
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const std::string& bind, int port, const std::map<std::string, Handler>& pages) {
    server_.new_task_queue = [] { return new GrowingPool(kMostThreads); };
    server_.set_payload_max_length(kLargestBody);
    // Not httplib's default, SO_REUSEPORT: two workers would silently share one port.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    for (const auto& [path, handler] : pages) {
      server_.Get(path, [handler = handler](const httplib::Request&, httplib::Response& response) {
        answer(handler, response);
      });
    }
    errno = 0;
    port_ = port == 0 ? server_.bind_to_any_port(bind) : server_.bind_to_port(bind, port) ? port : -1;
    if (port_ <= 0) {
      throw std::runtime_error("cannot listen on " + bind + ":" + std::to_string(port) + ": " +
                               (errno == 0 ? "no such address" : std::strerror(errno)));
    }
    server_.lengthen_queue();
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "duet-http");
      try {
        server_.listen_after_bind();
      } catch (...) {
        // Without memory to accept with there is nothing to serve any more; what else runs here goes on.
      }
      ended_ = true;
    });
    // stop() before the loop has begun would be overheard.
    while (!server_.is_running() && !ended_)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  ~Impl() {
    server_.stop();
    server_.cut_off();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int port() const { return port_; }

 private:
  Server server_;
  int port_ = 0;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

HttpServer::HttpServer(const std::string& bind, int port, const std::map<std::string, Handler>& pages)
    : impl_(std::make_unique<Impl>(bind, port, pages)) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const {
  return impl_->port();
}

}  // namespace duet::exporter
