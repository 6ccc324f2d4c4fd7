#pragma once

#include <cerrno>
#include <string>
#include <utility>
#include <zmq.hpp>

#include "support/sanitizers.h"

#if defined(DUET_UNDER_TSAN)
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

/// What every use of ZeroMQ has to know.
namespace duet::support {

/// Where ZeroMQ was built with PGM, as Debian's is, its first context sets up that library and its last one
/// tears it down, and the two may race when several threads have contexts. An idle one that stays keeps it
/// set up.
inline void keep_zeromq_set_up() {
  // `used`: otherwise the compiler drops a pointer that nobody reads, and leak checkers complain.
  [[gnu::used]] static zmq::context_t* const idle = new zmq::context_t;
}

/// Any call to a socket, one that does not wait included, may look at a descriptor, and a signal with a
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

/// Without waiting. False: there is nothing to receive now.
inline bool receive_now(zmq::socket_t& socket, zmq::message_t& frame) {
  return uninterrupted([&] { return socket.recv(frame, zmq::recv_flags::dontwait).has_value(); });
}

/// ThreadSanitizer does not see how ZeroMQ, built without it, hands a message from its thread to ours.
inline void copy_frame(const zmq::message_t& frame, std::string& to) {
#if defined(DUET_UNDER_TSAN)
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
#endif
  to.assign(frame.data<char>(), frame.size());
#if defined(DUET_UNDER_TSAN)
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
}

}  // namespace duet::support
