#pragma once

#include <cerrno>
#include <utility>
#include <zmq.hpp>

namespace duet::support {

/// Any call to a ZeroMQ socket, one that does not wait included, may look at a descriptor, and a signal with a
/// handler interrupts that, whatever SA_RESTART says. Nothing has happened then, and the call is made again.
template <typename Call>
auto uninterrupted(Call&& call) {
  for (;;) {
    try {
      return std::forward<Call>(call)();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

}  // namespace duet::support
