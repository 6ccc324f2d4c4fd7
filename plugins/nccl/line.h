#pragma once

#include <netinet/in.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "frame.h"

namespace duet::nccl {

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

/// A TCP connection that carries frames; never blocks. Frames that do not fit into the system's buffer wait
/// here.
class Line {
 public:
  /// Begins to connect. Throws FailureError (DUET_PEER_LOST) when that fails at once.
  static Line dial(const sockaddr_in& from, const sockaddr_in& to);
  /// One that was accepted.
  explicit Line(Descriptor socket) : socket_(std::move(socket)) {}

  int descriptor() const { return socket_.get(); }
  void say(const Frame& frame);
  /// Sends what waits, receives what is there, in whole frames. False: the line is gone, *why says how;
  /// frames that came before may be among those handed out.
  bool exchange(const std::function<void(const Frame&)>& on_frame, std::string* why);
  /// Sends what waits, as far as it goes at once: before hanging up.
  void flush();
  bool wants_to_send() const { return sent_ < out_.size() || connecting_; }

 private:
  bool send_waiting(std::string* why);
  bool receive(const std::function<void(const Frame&)>& on_frame, std::string* why);

  Descriptor socket_;
  bool connecting_ = false;
  std::vector<unsigned char> out_;
  std::size_t sent_ = 0;
  std::vector<unsigned char> in_;
};

/// Listens on an address, on any free port. Throws FailureError (DUET_BROKEN).
class Listener {
 public:
  explicit Listener(in_addr address);
  int descriptor() const { return socket_.get(); }
  const sockaddr_in& address() const { return address_; }
  /// The next connection; an invalid descriptor: none.
  Descriptor accept() const;

 private:
  Descriptor socket_;
  sockaddr_in address_{};
};

}  // namespace duet::nccl
