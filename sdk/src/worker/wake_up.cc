#include "worker/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "duet/error.h"

namespace duet::worker {

WakeUp::WakeUp() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) throw Error(std::string("eventfd: ") + std::strerror(errno));
}

WakeUp::~WakeUp() {
  ::close(descriptor_);
}

void WakeUp::wake() {
  if (!asleep_.exchange(false)) return;
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the sleeper has been woken already.
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

void WakeUp::awake() {
  asleep_.store(false);
  // Always: whoever cleared the flag before us has written, or is about to. What comes only now costs the
  // next sleep, once.
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(descriptor_, &count, sizeof count);
}

}  // namespace duet::worker
