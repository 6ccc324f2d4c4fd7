#include "bounded_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace duet::exporter {

BoundedStream::BoundedStream(socket_t socket) : socket_(socket), deadline_(Clock::now() + kInAll) {}

bool BoundedStream::ready(short events, Clock::duration patience) const {
  const auto until = std::min(Clock::now() + patience, deadline_);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd one{socket_, events, 0};
    const int count = ::poll(&one, 1, static_cast<int>(left));
    // What went wrong with the socket, the call that follows tells.
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

bool BoundedStream::is_readable() const {
  return begin_ < end_ || (left_ > 0 && ready(POLLIN, kReadPause));
}

bool BoundedStream::is_writable() const {
  return ready(POLLOUT, kWritePause);
}

ssize_t BoundedStream::read(char* into, std::size_t size) {
  while (begin_ == end_) {
    if (!is_readable()) return -1;
    const ssize_t received = ::recv(socket_, buffer_, std::min(sizeof buffer_, left_), MSG_DONTWAIT);
    if (received < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (received <= 0) return received;
    begin_ = 0;
    end_ = static_cast<std::size_t>(received);
    left_ -= end_;
  }
  const std::size_t count = std::min(size, end_ - begin_);
  std::memcpy(into, buffer_ + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t BoundedStream::write(const char* from, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    if (!is_writable()) return -1;
    // Without waiting: a call that sends a long page to its end takes as long as its reader likes.
    const ssize_t sent = ::send(socket_, from + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent < 0) return -1;
    done += static_cast<std::size_t>(sent);
  }
  return static_cast<ssize_t>(size);
}

// Nobody asks for them here, and the name of a client is none of our business.
void BoundedStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}
void BoundedStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace duet::exporter
