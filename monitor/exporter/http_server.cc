#include "http_server.h"

#include <httplib.h>
#include <pthread.h>
#include <sys/socket.h>

#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

#include "growing_pool.h"

namespace duet::exporter {
namespace {

constexpr std::size_t kMostThreads = 64;
constexpr std::size_t kLargestBody = 4096;  ///< bytes; nobody has a reason to send one
constexpr int kBacklog = 256;               ///< httplib's own is 5: a burst of scrapes would wait a second
constexpr time_t kReadSeconds = 2;
constexpr time_t kWriteSeconds = 5;

/// httplib listens with a short queue; the socket is a subclass' to see.
class Server : public httplib::Server {
 public:
  bool lengthen_queue() { return ::listen(svr_sock_, kBacklog) == 0; }
};

void answer(const HttpServer::Handler& handler, httplib::Response& response) {
  Reply reply;
  try {
    reply = handler();
  } catch (const std::exception& error) {
    reply = {500, "text/plain; charset=utf-8", std::string("this page failed: ") + error.what() + "\n"};
  }
  response.status = reply.status;
  response.set_content(reply.body, reply.type.c_str());
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const std::string& bind, int port, std::map<std::string, Handler> pages) {
    server_.new_task_queue = [] { return new GrowingPool(kMostThreads); };
    // One answer a connection: an idle one would hold a thread.
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(kReadSeconds);
    server_.set_read_timeout(kReadSeconds);
    server_.set_write_timeout(kWriteSeconds);
    server_.set_payload_max_length(kLargestBody);
    // Not httplib's default, SO_REUSEPORT: two workers would silently share one port.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    for (auto& [path, handler] : pages) {
      server_.Get(path, [handler = std::move(handler)](const httplib::Request&, httplib::Response& response) {
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
      server_.listen_after_bind();
    });
    // stop() before the loop has begun would be overheard.
    while (!server_.is_running())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  ~Impl() {
    server_.stop();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int port() const { return port_; }

 private:
  Server server_;
  int port_ = 0;
  std::thread thread_;
};

HttpServer::HttpServer(const std::string& bind, int port, std::map<std::string, Handler> pages)
    : impl_(std::make_unique<Impl>(bind, port, std::move(pages))) {}
HttpServer::~HttpServer() = default;
int HttpServer::port() const {
  return impl_->port();
}

}  // namespace duet::exporter
