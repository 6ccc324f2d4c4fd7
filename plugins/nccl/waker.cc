#include "waker.h"

#include <sys/eventfd.h>

#include <cerrno>

#include "failure.h"

namespace duet::nccl {

Waker::Waker() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_.get() < 0)
    throw FailureError(Failure{DUET_BROKEN, errno, "NCCL: no event: " + system_error_text(errno)});
}

void Waker::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void Waker::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(event_.get(), &count, sizeof count);
}

}  // namespace duet::nccl
