#include "integration/unix/raw_peer.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "wire.h"

namespace duet::testing {
namespace {

socklen_t fill(const std::string& address, sockaddr_un* out) {
  const std::string name = address.substr(address.find(':') + 1);
  *out = {};
  out->sun_family = AF_UNIX;
  if (name.size() + 1 > sizeof(out->sun_path)) throw std::runtime_error("too long: " + name);
  std::memcpy(out->sun_path + 1, name.data(), name.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

RawSocket make() {
  RawSocket made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.valid()) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
  return made;
}

}  // namespace

RawSocket::~RawSocket() {
  close();
}

RawSocket::RawSocket(RawSocket&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
  close();
  socket_ = std::exchange(other.socket_, -1);
  return *this;
}

RawSocket RawSocket::connect(const std::string& address) {
  RawSocket made = make();
  sockaddr_un to;
  const socklen_t length = fill(address, &to);
  if (::connect(made.socket_, reinterpret_cast<const sockaddr*>(&to), length) != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  return made;
}

RawSocket RawSocket::listen(const std::string& address, int backlog) {
  RawSocket made = make();
  sockaddr_un at;
  const socklen_t length = fill(address, &at);
  if (::bind(made.socket_, reinterpret_cast<const sockaddr*>(&at), length) != 0 ||
      ::listen(made.socket_, backlog) != 0)
    throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  return made;
}

RawSocket RawSocket::accept() const {
  return RawSocket(::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

void RawSocket::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

void RawSocket::send(const void* bytes, std::size_t count) const {
  if (::send(socket_, bytes, count, MSG_NOSIGNAL) != static_cast<ssize_t>(count))
    throw std::runtime_error(std::string("send: ") + std::strerror(errno));
}

void RawSocket::greet(std::uint64_t session) const {
  const greeting mine{.magic = GREETING_MAGIC, .session = session};
  send(&mine, sizeof(mine));
}

void RawSocket::send_header(std::uint64_t bytes) const {
  const header head{.bytes = bytes};
  send(&head, sizeof(head));
}

std::size_t RawSocket::flood() const {
  std::array<char, 4096> bytes{};
  std::size_t total = 0;
  for (;;) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return total;
    total += static_cast<std::size_t>(sent);
  }
}

std::string RawSocket::receive() const {
  std::array<char, 4096> bytes;
  const ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  return got <= 0 ? std::string() : std::string(bytes.data(), static_cast<std::size_t>(got));
}

bool RawSocket::is_closed() const {
  char byte = 0;
  const ssize_t got = ::recv(socket_, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  return got == 0 || (got < 0 && errno == ECONNRESET);
}

}  // namespace duet::testing
