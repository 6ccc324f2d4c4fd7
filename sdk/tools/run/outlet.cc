#include "run/outlet.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace duet::run {

void Outlet::write_some() {
  // The descriptor may be shared with others, so it stays as it is, blocking; a pipe that is ready takes
  // PIPE_BUF bytes without.
  while (!empty()) {
    if (broken_) return drop();
    pollfd ready{descriptor_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) <= 0) return;
    const std::size_t bytes = std::min<std::size_t>(pending_.size() - written_, PIPE_BUF);
    const ssize_t done = ::write(descriptor_, pending_.data() + written_, bytes);
    if (done >= 0) {
      written_ += static_cast<std::size_t>(done);
    } else if (errno != EINTR && errno != EAGAIN) {
      broken_ = true;
    } else {
      break;
    }
  }
  if (empty()) drop();
}

void Outlet::drop() {
  pending_.clear();
  written_ = 0;
}

}  // namespace duet::run
