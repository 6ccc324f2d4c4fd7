#include "line.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "failure.h"
#include "peer_address.h"

namespace duet::nccl {
namespace {

/// Frames are small and each is awaited.
void send_at_once(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Descriptor make_socket() {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0)
    throw FailureError(Failure{DUET_BROKEN, errno, "NCCL: no socket: " + system_error_text(errno)});
  return fd;
}

}  // namespace

Line Line::dial(const sockaddr_in& from, const sockaddr_in& to) {
  Line line(make_socket());
  const int fd = line.socket_.get();
  send_at_once(fd);
  // From the interface that was asked for, unless the way is a loopback.
  if (!is_loopback(to) && !is_loopback(from)) {
    sockaddr_in own = from;
    own.sin_port = 0;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
      throw FailureError(Failure{DUET_BROKEN, errno,
                                 "cannot connect from " + to_text(own) + ": " + system_error_text(errno)});
    }
  }
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    if (errno != EINPROGRESS)
      throw FailureError(Failure{DUET_PEER_LOST, errno, "cannot connect: " + system_error_text(errno)});
    line.connecting_ = true;
  }
  return line;
}

void Line::say(const Frame& frame) {
  const auto bytes = frame.encode();
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

bool Line::exchange(const std::function<void(const Frame&)>& on_frame, std::string* why) {
  if (connecting_) {
    int error = 0;
    socklen_t size = sizeof error;
    sockaddr_in peer{};
    socklen_t peer_size = sizeof peer;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      *why = "cannot connect: " + system_error_text(error);
      return false;
    }
    if (::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return true;
    connecting_ = false;
  }
  // What arrived counts even when nothing can be sent any more.
  std::string send_error;
  const bool sends = send_waiting(&send_error);
  if (!receive(on_frame, why)) return false;
  if (!sends) *why = send_error;
  return sends;
}

void Line::flush() {
  std::string ignored;
  if (!connecting_) send_waiting(&ignored);
}

bool Line::send_waiting(std::string* why) {
  while (sent_ < out_.size()) {
    const ssize_t n = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (n < 0) {
      *why = "the peer is gone: " + system_error_text(errno);
      return false;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  out_.clear();
  sent_ = 0;
  return true;
}

bool Line::receive(const std::function<void(const Frame&)>& on_frame, std::string* why) {
  std::array<unsigned char, 64 * Frame::kBytes> buffer;
  for (;;) {
    const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (n <= 0) {
      *why = n == 0 ? "the peer closed the connection, or died"
                    : "the peer is gone: " + system_error_text(errno);
      return false;
    }
    in_.insert(in_.end(), buffer.begin(), buffer.begin() + n);
    std::size_t taken = 0;
    for (; in_.size() - taken >= Frame::kBytes; taken += Frame::kBytes) {
      const auto frame = Frame::decode(in_.data() + taken);
      if (!frame) {
        *why = "what is connected does not speak this transport's language";
        return false;
      }
      on_frame(*frame);
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(taken));
  }
}

Listener::Listener(in_addr address) : socket_(make_socket()) {
  address_.sin_family = AF_INET;
  address_.sin_addr = address;
  socklen_t size = sizeof address_;
  auto* const where = reinterpret_cast<sockaddr*>(&address_);
  if (::bind(socket_.get(), where, sizeof address_) != 0 || ::listen(socket_.get(), 256) != 0 ||
      ::getsockname(socket_.get(), where, &size) != 0) {
    throw FailureError(Failure{
        DUET_BROKEN, errno, "NCCL: cannot listen on " + to_text(address_) + ": " + system_error_text(errno)});
  }
}

Descriptor Listener::accept() const {
  Descriptor fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() >= 0) send_at_once(fd.get());
  return fd;
}

}  // namespace duet::nccl
