#pragma once

#include <cstdint>
#include <string>

/// The other end of the sample transport's sockets without the sample: somebody who says what they like.
namespace duet::testing {

class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int socket) : socket_(socket) {}
  ~RawSocket();
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&& other) noexcept;
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  /// Connected to the context with this address ("duet-unix:NAME"); nothing is said yet.
  static RawSocket connect(const std::string& address);
  /// Listens under that address itself.
  static RawSocket listen(const std::string& address, int backlog);
  /// Who connected, without waiting; not valid() if there is nobody.
  RawSocket accept() const;

  bool valid() const { return socket_ >= 0; }
  int get() const { return socket_; }
  void close();
  void send(const void* bytes, std::size_t count) const;
  void greet(std::uint64_t session) const;
  void send_header(std::uint64_t bytes) const;
  /// Sends until there is no more room. Returns the bytes that went.
  std::size_t flood() const;
  /// What has arrived, up to 4096 bytes; without waiting.
  std::string receive() const;
  /// Whether the other side has closed.
  bool is_closed() const;

 private:
  int socket_ = -1;
};

}  // namespace duet::testing
