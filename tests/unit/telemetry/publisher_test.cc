#include "telemetry/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "control/curve_keys.h"
#include "duet/error.h"
#include "duet/log.h"

namespace duet::telemetry {
namespace {

using namespace std::chrono_literals;

class Subscriber {
 public:
  explicit Subscriber(const std::string& address, const std::string& secret = {}, int queue = 1000)
      : socket_(context_, zmq::socket_type::sub) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvhwm, queue);
    if (!secret.empty()) {
      control::CurveKeys server, client;
      control::derive_server_keys(secret, server);
      control::make_client_keys(client);
      zmq_setsockopt(socket_.handle(), ZMQ_CURVE_SERVERKEY, server.public_key.data(), 32);
      zmq_setsockopt(socket_.handle(), ZMQ_CURVE_PUBLICKEY, client.public_key.data(), 32);
      zmq_setsockopt(socket_.handle(), ZMQ_CURVE_SECRETKEY, client.secret_key.data(), 32);
    }
    socket_.set(zmq::sockopt::subscribe, "");
    socket_.connect(address);
  }
  /// Empty: nothing came in time.
  std::string receive(std::chrono::milliseconds patience) {
    socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(patience.count()));
    zmq::message_t message;
    if (!socket_.recv(message)) return {};
    return message.to_string();
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
};

/// Waits until so many have subscribed.
bool wait_for(Publisher& publisher, int subscribers) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (int seen = 0; std::chrono::steady_clock::now() < deadline; std::this_thread::sleep_for(1ms)) {
    seen += publisher.take_new_subscribers();
    if (seen >= subscribers) return true;
  }
  return false;
}

/// What is logged meanwhile.
class Log {
 public:
  Log() {
    set_log_sink([this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level == LogLevel::kWarning) warnings_.emplace_back(text);
    });
  }
  ~Log() { set_log_sink({}); }
  std::vector<std::string> warnings() {
    const std::lock_guard lock(mutex_);
    return warnings_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> warnings_;
};

TEST(Publisher, TellsOfEachNewSubscriberAndReachesAll) {
  Publisher publisher({});
  Subscriber first(publisher.address());
  ASSERT_TRUE(wait_for(publisher, 1));
  Subscriber second(publisher.address());
  ASSERT_TRUE(wait_for(publisher, 1)) << "also of the second, although somebody subscribes already";
  publisher.publish("frame");
  EXPECT_EQ(first.receive(10s), "frame");
  EXPECT_EQ(second.receive(10s), "frame");
}

TEST(Publisher, NeverWaitsForAReaderThatDoesNotRead) {
  Publisher publisher({});
  Subscriber slow(publisher.address(), {}, 1);
  ASSERT_TRUE(wait_for(publisher, 1));
  const std::string frame(100'000, 'x');
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 2000; ++i)
    publisher.publish(frame);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  // It loses frames, and has some.
  int received = 0;
  while (!slow.receive(500ms).empty())
    ++received;
  EXPECT_GT(received, 0);
  EXPECT_LT(received, 2000);
}

TEST(Publisher, APortThatIsTakenIsOneWarningAndAnotherPort) {
  Publisher first({});
  const int port = std::stoi(first.address().substr(first.address().rfind(':') + 1));
  Log log;
  PublisherOptions options;
  options.port = port;
  const auto second = open_publisher(options, 3);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second->address(), first.address());
  ASSERT_EQ(log.warnings().size(), 1u);
  EXPECT_THAT(log.warnings()[0], testing::HasSubstr("rank 3"));
  EXPECT_THAT(log.warnings()[0], testing::HasSubstr(std::to_string(port)));
  EXPECT_THAT(log.warnings()[0], testing::HasSubstr(second->address()));
}

TEST(Publisher, AnAddressThatIsNoneIsAWarningAndNoTelemetry) {
  Log log;
  PublisherOptions options;
  options.bind = "203.0.113.1";
  EXPECT_EQ(open_publisher(options, 0), nullptr);
  ASSERT_EQ(log.warnings().size(), 1u);
  EXPECT_THAT(log.warnings()[0], testing::HasSubstr("training goes on"));
}

TEST(Publisher, WithASecretOnlyThoseWhoKnowItHear) {
  PublisherOptions options;
  options.secret = "a long enough secret for a test";
  Publisher publisher(options);
  Subscriber friendly(publisher.address(), options.secret);
  Subscriber stranger(publisher.address());
  Subscriber guesser(publisher.address(), "another secret that is as long");
  ASSERT_TRUE(wait_for(publisher, 1));
  publisher.publish("frame");
  EXPECT_EQ(friendly.receive(10s), "frame");
  EXPECT_EQ(stranger.receive(300ms), "");
  EXPECT_EQ(guesser.receive(300ms), "");
}

TEST(Publisher, IsToldToOthersByTheAddressThatTheyReach) {
  PublisherOptions options;
  options.bind = "0.0.0.0";
  options.told = "10.1.2.3";
  const Publisher publisher(options);
  EXPECT_THAT(publisher.address(), testing::StartsWith("tcp://10.1.2.3:"));
}

}  // namespace
}  // namespace duet::telemetry
