// What people do to an open port who were not invited.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "control/channel.h"
#include "control/curve_keys.h"
#include "control/messages.h"

namespace duet::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kSecret = "correct horse battery staple";

/// Everything that arrives within `seconds`.
std::vector<std::string> all_received(Channel& channel, double seconds) {
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(static_cast<int>(1e6 * seconds));
  std::vector<std::string> all;
  Channel::Received message;
  while (Clock::now() < end) {
    while (channel.receive(message))
      all.push_back(message.bytes);
    channel.wait(std::chrono::duration<double>(end - Clock::now()).count());
  }
  return all;
}

std::string received(Channel& channel, double seconds) {
  std::string together;
  for (const std::string& message : all_received(channel, seconds))
    together += message;
  return together;
}

/// The next message, waited for on a busy machine too.
Channel::Received next(Channel& channel) {
  Channel::Received message;
  const Clock::time_point start = Clock::now();
  while (!channel.receive(message) && Clock::now() - start < std::chrono::seconds(20))
    channel.wait(0.1);
  return message;
}

void expect_alive(Channel& worker, const std::string& secret) {
  Channel friendly({.secret = secret});
  ASSERT_TRUE(friendly.send(worker.address(), "from a friend"));
  const Channel::Received message = next(worker);
  EXPECT_EQ(message.bytes, "from a friend");
  EXPECT_TRUE(worker.reply(message.return_route, "welcome"));
  EXPECT_EQ(next(friendly).bytes, "welcome");
}

/// A plain TCP connection to a channel.
class RawConnection {
 public:
  explicit RawConnection(const Channel& channel) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(
        static_cast<std::uint16_t>(std::stoi(channel.address().substr(channel.address().rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~RawConnection() { close(socket_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  void write(const std::string& bytes) {
    // The other side may hang up at any time: that is its right.
    [[maybe_unused]] const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  int socket_;
};

TEST(Stranger, WhoKnowsTheSecretIsUnderstood) {
  Channel worker({.secret = kSecret});
  expect_alive(worker, kSecret);
}

TEST(Stranger, WithoutTheSecretNothingGetsThrough) {
  Channel worker({.secret = kSecret});
  Channel without(ChannelOptions{});
  Channel wrong({.secret = "correct horse battery stable"});
  without.send(worker.address(), "I have no secret");
  wrong.send(worker.address(), "I have the wrong secret");
  EXPECT_EQ(received(worker, 1.0), "");
  expect_alive(worker, kSecret);
}

TEST(Stranger, AWorkerWithASecretTellsStrangersNothing) {
  Channel worker({.secret = kSecret});
  Channel without(ChannelOptions{});
  Channel wrong({.secret = "correct horse battery stable"});
  worker.send(without.address(), "in confidence");
  worker.send(wrong.address(), "in confidence");
  EXPECT_EQ(received(without, 1.0), "");
  EXPECT_EQ(received(wrong, 0.2), "");
}

TEST(Stranger, KeysAreAFunctionOfTheSecretAlone) {
  CurveKeys first, again, other, client, client_again;
  derive_server_keys(kSecret, first);
  derive_server_keys(kSecret, again);
  derive_server_keys("something else", other);
  make_client_keys(client);
  make_client_keys(client_again);
  EXPECT_EQ(first.public_key, again.public_key);
  EXPECT_EQ(first.secret_key, again.secret_key);
  EXPECT_NE(first.public_key, other.public_key);
  EXPECT_NE(client.public_key, client_again.public_key);
}

TEST(Stranger, GarbageOnThePortChangesNothing) {
  for (const std::string secret : {"", kSecret}) {
    Channel worker({.secret = secret});
    std::mt19937_64 random(3);
    const std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00NULL", 16);
    for (int i = 0; i < 200; ++i) {
      std::string bytes = i % 3 == 0   ? greeting
                          : i % 3 == 1 ? "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
                                       : "";
      for (std::size_t k = random() % 300; k > 0; --k)
        bytes += static_cast<char>(random());
      RawConnection connection(worker);
      connection.write(bytes);
    }
    // Without a secret ZeroMQ takes some of it for messages of its first version. None of them is one of
    // ours.
    const std::vector<std::string> messages = all_received(worker, 0.3);
    if (!secret.empty()) {
      EXPECT_TRUE(messages.empty());
    }
    for (const std::string& message : messages)
      EXPECT_FALSE(decode(message).has_value());
    expect_alive(worker, secret);
  }
}

TEST(Stranger, ConnectionsThatSayNothingChangeNothing) {
  Channel worker(ChannelOptions{});
  std::vector<std::unique_ptr<RawConnection>> silent;
  for (int i = 0; i < 50; ++i)
    silent.push_back(std::make_unique<RawConnection>(worker));
  expect_alive(worker, "");
}

TEST(Stranger, MessagesOfAnotherShapeAreDropped) {
  Channel worker(ChannelOptions{});
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect(worker.address());
  for (int i = 0; i < 200; ++i) {
    for (int frame = 0; frame < 5; ++frame) {
      dealer.send(zmq::str_buffer("frame"), frame < 4 ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  dealer.send(zmq::str_buffer("a proper one"), zmq::send_flags::none);
  EXPECT_EQ(next(worker).bytes, "a proper one");
  EXPECT_EQ(received(worker, 0.1), "");
}

TEST(Stranger, AMessageLargerThanAnyMayBeIsNotTaken) {
  Channel worker(ChannelOptions{});
  zmq::context_t context;
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect(worker.address());
  dealer.send(zmq::message_t(kLargestMessage + 1), zmq::send_flags::none);
  EXPECT_TRUE(received(worker, 0.5).empty());
  expect_alive(worker, "");
}

}  // namespace
}  // namespace duet::control
