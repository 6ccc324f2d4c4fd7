// Clients that mean no good, or are broken: the server goes on, and ends in time.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bounded_stream.h"
#include "http_server.h"

namespace duet::exporter {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// A raw connection, closed at the end.
class Connection {
 public:
  explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 15, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Connection(Connection&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), connected_(other.connected_) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }
  bool connected() const { return connected_; }
  /// How many of the bytes were taken.
  std::size_t send(std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto now = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) break;
      sent += static_cast<std::size_t>(now);
    }
    return sent;
  }
  /// Bytes that came and were not received.
  int waiting() const {
    int bytes = 0;
    ::ioctl(socket_, FIONREAD, &bytes);
    return bytes;
  }
  std::string receive() {
    std::string answer;
    char buffer[4096];
    for (;;) {
      const auto now = ::recv(socket_, buffer, sizeof buffer, 0);
      if (now <= 0) return answer;
      answer.append(buffer, static_cast<std::size_t>(now));
    }
  }

 private:
  int socket_;
  bool connected_ = false;
};

class HostileClients : public testing::Test {
 protected:
  /// Whether a well-behaved client is served, and soon.
  void expect_alive() {
    httplib::Client client("127.0.0.1", server_.port());
    client.set_connection_timeout(10);
    client.set_read_timeout(10);
    const auto page = client.Get("/metrics");
    ASSERT_TRUE(page) << "the server does not answer any more";
    EXPECT_EQ(page->status, 200);
    EXPECT_EQ(page->body, body_);
  }

  const std::string body_ = std::string(10'000, 'm');
  HttpServer server_{"127.0.0.1",
                     0,
                     {{"/metrics",
                       [this] {
                         return Reply{200, "text/plain", body_};
                       }},
                      {"/large",
                       [] {
                         return Reply{200, "text/plain", std::string(32u << 20, 'l')};
                       }},
                      {"/throws", []() -> Reply { throw std::runtime_error("on purpose"); }}}};
};

TEST_F(HostileClients, ConnectAndSayNothing) {
  std::vector<Connection> silent;
  for (int i = 0; i < 50; ++i)
    silent.emplace_back(server_.port());
  expect_alive();
  // They are let go: each costs a thread for two seconds.
  for (auto& one : silent)
    one.receive();
  expect_alive();
}

TEST_F(HostileClients, SendHalfARequestAndGo) {
  for (int i = 0; i < 50; ++i) {
    Connection half(server_.port());
    half.send("GET /metrics HT");
  }
  expect_alive();
}

TEST_F(HostileClients, SendGarbageOrTls) {
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (const std::string& bytes :
       {std::string(3000, '\xff'), std::string("\r\n\r\n"), std::string("\0\0\0\0\r\n\r\n", 8),
        hello + std::string(512, '\x01') + "\r\n\r\n", std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"), "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n"}) {
    Connection connection(server_.port());
    ASSERT_TRUE(connection.connected());
    connection.send(bytes);
    connection.receive();
    expect_alive();
  }
}

TEST_F(HostileClients, SendTenMegabytes) {
  const std::string body(10u << 20, 'x');
  {
    httplib::Client client("127.0.0.1", server_.port());
    client.set_write_timeout(10);
    const auto answer = client.Post("/metrics", body, "application/octet-stream");
    // Refused, or cut off while it was still talking.
    if (answer) {
      EXPECT_GE(answer->status, 400);
    }
  }
  {
    Connection connection(server_.port());
    connection.send("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n");
    connection.send(body);
    connection.receive();
  }
  expect_alive();
}

/// More than the kernel keeps for who does not read: the server has to wait, and to lose patience.
TEST_F(HostileClients, AskAndDoNotRead) {
  std::vector<Connection> deaf;
  for (int i = 0; i < 8; ++i) {
    deaf.emplace_back(server_.port());
    deaf.back().send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  expect_alive();
  // A slow machine takes its time for such pages; patience counts from when everyone has as much as it gets.
  const auto until = Clock::now() + 90s;
  auto moved = Clock::now();
  for (std::vector<int> before;
       Clock::now() - moved < BoundedStream::kWritePause + 2s && Clock::now() < until;) {
    std::vector<int> now;
    for (const auto& one : deaf)
      now.push_back(one.waiting());
    if (now != before || std::find(now.begin(), now.end(), 0) != now.end()) moved = Clock::now();
    before = std::move(now);
    std::this_thread::sleep_for(20ms);
  }
  for (auto& one : deaf)
    EXPECT_LT(one.receive().size(), 32u << 20) << "it was cut off";
}

TEST_F(HostileClients, ALargePageArrivesWhole) {
  httplib::Client client("127.0.0.1", server_.port());
  client.set_read_timeout(20);
  const auto page = client.Get("/large");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->body.size(), 32u << 20);
}

/// httplib by itself would keep all of it, waiting for the end of the line or of the headers.
TEST_F(HostileClients, SendALineOrHeadersWithoutAnEnd) {
  for (const std::string& more : {std::string(1u << 16, 'a'), std::string("X: y\r\n")}) {
    Connection endless(server_.port());
    endless.send("GET /metrics HTTP/1.1\r\n");
    std::size_t sent = 0;
    constexpr std::size_t kFarTooMuch = 64u << 20;
    while (sent < kFarTooMuch) {
      const std::size_t now = endless.send(more);
      sent += now;
      if (now < more.size()) break;
    }
    EXPECT_LT(sent, kFarTooMuch) << "the server took it all";
    expect_alive();
  }
}

/// A byte every now and then is progress: the time in all ends it.
TEST_F(HostileClients, TrickleBytes) {
  Connection slow(server_.port());
  const auto begin = Clock::now();
  const auto deadline = begin + BoundedStream::kInAll + 20s;
  slow.send("GET /metrics HTTP/1.1\r\nX: ");
  while (slow.send("a") == 1 && Clock::now() < deadline)
    std::this_thread::sleep_for(500ms);
  EXPECT_LT(Clock::now(), deadline) << "it would have gone on for ever";
  expect_alive();
}

TEST_F(HostileClients, ComeTwoHundredAtOnce) {
  std::atomic<int> served{0};
  std::vector<std::thread> scrapers;
  for (int i = 0; i < 200; ++i) {
    scrapers.emplace_back([&] {
      httplib::Client client("127.0.0.1", server_.port());
      client.set_connection_timeout(30);
      client.set_read_timeout(30);
      const auto page = client.Get("/metrics");
      if (page && page->status == 200 && page->body == body_) ++served;
    });
  }
  for (auto& scraper : scrapers)
    scraper.join();
  EXPECT_EQ(served.load(), 200);
}

TEST_F(HostileClients, APageThatFailsIsAnError) {
  httplib::Client client("127.0.0.1", server_.port());
  const auto page = client.Get("/throws");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 500);
  EXPECT_THAT(page->body, testing::HasSubstr("on purpose"));
  expect_alive();
}

TEST(HttpServer, EndsInTimeWhileClientsAreSilent) {
  std::vector<Connection> silent;
  Clock::time_point begin;
  {
    HttpServer server("127.0.0.1", 0, {});
    for (int i = 0; i < 10; ++i)
      silent.emplace_back(server.port());
    std::this_thread::sleep_for(100ms);
    begin = Clock::now();
  }
  EXPECT_LT(Clock::now() - begin, 1s) << "they are cut off, not waited for";
}

TEST(HttpServer, MoreClientsThanThreadsCostABoundedNumberOfDescriptors) {
  HttpServer server("127.0.0.1", 0, {});
  const auto descriptors = [] {
    const auto begin = std::filesystem::directory_iterator("/proc/self/fd");
    return std::distance(begin, std::filesystem::directory_iterator());
  };
  std::vector<Connection> silent;
  const auto before = descriptors();
  for (int i = 0; i < 300; ++i)
    silent.emplace_back(server.port());
  std::this_thread::sleep_for(500ms);
  // Ours, and on the server's side those that are served, as many that wait, and the one in hand.
  EXPECT_LE(descriptors() - before, 300 + 2 * 64 + 1);
}

TEST(HttpServer, APortThatIsTakenIsAnError) {
  const HttpServer first("127.0.0.1", 0, {});
  try {
    const HttpServer second("127.0.0.1", first.port(), {});
    FAIL() << "both listen on port " << first.port();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(std::to_string(first.port())));
  }
}

}  // namespace
}  // namespace duet::exporter
