#pragma once

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <string>

namespace duet::exporter {

/// One connection to the server, of which the client may ask only so much: bytes that it sends, time without
/// progress, and time in all. httplib itself bounds none of a line's length, the number of headers and the
/// time that a client takes which sends a byte now and then. Beyond a bound every call fails.
class BoundedStream : public httplib::Stream {
 public:
  explicit BoundedStream(socket_t socket);

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* into, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

  static constexpr std::size_t kMostBytes = 16384;              ///< of a request, all in all
  static constexpr auto kReadPause = std::chrono::seconds(2);   ///< without progress
  static constexpr auto kWritePause = std::chrono::seconds(5);  ///< likewise
  static constexpr auto kInAll = std::chrono::seconds(30);

 private:
  using Clock = std::chrono::steady_clock;
  /// Whether the socket is ready for `events` within `patience` and the time in all.
  bool ready(short events, Clock::duration patience) const;

  const socket_t socket_;
  const Clock::time_point deadline_;
  std::size_t left_ = kMostBytes;  ///< that may still be received
  /// httplib reads byte by byte.
  char buffer_[2048];
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace duet::exporter
