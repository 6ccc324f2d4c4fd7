#include "live_source.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <zmq.hpp>

#include "control/curve_keys.h"
#include "duet/error.h"
#include "duet/observer/observer.h"
#include "unit/observer/sample_frames.h"

namespace duet::observer {
namespace {

using testing::HasSubstr;

double wall_clock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// One worker's telemetry socket, with real frames on it.
class Publisher {
 public:
  explicit Publisher(int port = 0, const std::string& secret = "")
      : socket_(context_, zmq::socket_type::xpub) {
    socket_.set(zmq::sockopt::linger, 0);
    if (!secret.empty()) {
      control::CurveKeys keys;
      control::derive_server_keys(secret, keys);
      socket_.set(zmq::sockopt::curve_server, true);
      zmq_setsockopt(socket_.handle(), ZMQ_CURVE_SECRETKEY, keys.secret_key.data(), keys.secret_key.size());
    }
    socket_.bind("tcp://127.0.0.1:" + (port == 0 ? "*" : std::to_string(port)));
    const std::string bound = socket_.get(zmq::sockopt::last_endpoint);
    port_ = std::stoi(bound.substr(bound.rfind(':') + 1));
  }
  int port() const { return port_; }
  std::string address() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  void send(const std::string& bytes) { socket_.send(zmq::buffer(bytes), zmq::send_flags::dontwait); }
  bool subscribed() {
    zmq::message_t request;
    bool any = false;
    while (socket_.recv(request, zmq::recv_flags::dontwait))
      any = any || (request.size() > 0 && *request.data<char>() == 1);
    return any;
  }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
  int port_ = 0;
};

/// Workers that publish until they are told otherwise.
class Crew {
 public:
  explicit Crew(int workers, const std::string& secret = "") : run_(workers), secret_(secret) {
    for (int rank = 0; rank < workers; ++rank)
      publishers_.push_back(std::make_unique<Publisher>(0, secret));
    for (const auto& publisher : publishers_)
      addresses_.push_back(publisher->address());
  }
  void tell(int times = 1) {
    for (int i = 0; i < times; ++i) {
      for (int rank = 0; rank < run_.workers(); ++rank) {
        Publisher* const publisher = publishers_[static_cast<std::size_t>(rank)].get();
        if (publisher == nullptr) continue;
        publisher->subscribed();
        ++steps_;
        auto header = run_.header(rank);
        for (std::size_t other = 0; other < addresses_.size(); ++other)
          header.roster[other].telemetry_address = addresses_[other];
        publisher->send(telemetry::encode(run_.frame(rank, wall_clock(), header)));
        publisher->send(telemetry::encode(run_.frame(rank, wall_clock(), run_.state(rank, steps_, steps_))));
      }
    }
  }
  void kill(int rank) { publishers_[static_cast<std::size_t>(rank)].reset(); }
  void revive(int rank) {
    const std::string& address = addresses_[static_cast<std::size_t>(rank)];
    publishers_[static_cast<std::size_t>(rank)] =
        std::make_unique<Publisher>(std::stoi(address.substr(address.rfind(':') + 1)), secret_);
    run_.restart(rank);
  }
  std::string address(int rank) const { return addresses_[static_cast<std::size_t>(rank)].substr(6); }
  SampleRun& run() { return run_; }
  Publisher& publisher(int rank) { return *publishers_[static_cast<std::size_t>(rank)]; }

 private:
  SampleRun run_;
  std::string secret_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::string> addresses_;
  std::uint64_t steps_ = 0;
};

/// Polls, and lets the crew speak, until `enough` or the deadline.
bool until(Observer& observer, const std::function<void()>& meanwhile, const std::function<bool()>& enough,
           double seconds = 20.0) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < deadline) {
    meanwhile();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    observer.poll();
    if (enough()) return true;
  }
  return false;
}

std::size_t heard(const Observer& observer) {
  std::size_t count = 0;
  for (const Worker& worker : observer.snapshot().workers)
    if (worker.frames > 0) ++count;
  return count;
}

TEST(LiveSource, OneAddressFindsAllWorkers) {
  Crew crew(5);
  Observer observer(make_live_source({.address = crew.address(3)}));
  EXPECT_TRUE(until(
      observer, [&] { crew.tell(); }, [&] { return heard(observer) == 5; }));
  EXPECT_EQ(observer.status().state, SourceState::kRunning);
  EXPECT_TRUE(until(
      observer, [&] { crew.tell(); }, [&] { return observer.status().connections == 5; }));
  EXPECT_EQ(observer.snapshot().run.graph, "ring");
  EXPECT_EQ(observer.snapshot().edges.size(), 5u);
}

TEST(LiveSource, LeavesAndNewIncarnationsAreSurvived) {
  Crew crew(3);
  ObserverOptions options;
  options.limits.gone_after = 1.0;
  Observer observer(make_live_source({.address = crew.address(0)}), options);
  ASSERT_TRUE(until(
      observer, [&] { crew.tell(); }, [&] { return heard(observer) == 3; }));
  crew.kill(0);  // the very one that we came through
  EXPECT_TRUE(until(
      observer, [&] { crew.tell(); },
      [&] { return observer.snapshot().worker(0)->state == WorkerState::kGone; }));
  EXPECT_EQ(observer.snapshot().worker(1)->state, WorkerState::kRunning);
  crew.revive(0);
  EXPECT_TRUE(until(
      observer, [&] { crew.tell(); }, [&] { return observer.snapshot().worker(0)->lives == 2; }));
}

TEST(LiveSource, ReconnectsWhenTheWholeRunWasAway) {
  Crew crew(2);
  Observer observer(make_live_source({.address = crew.address(0), .silence = 0.5}));
  ASSERT_TRUE(until(
      observer, [&] { crew.tell(); }, [&] { return heard(observer) == 2; }));
  EXPECT_TRUE(until(
      observer, [] {}, [&] { return observer.status().state == SourceState::kReconnecting; }));
  EXPECT_TRUE(observer.status().retry_in);
  crew.kill(0);
  crew.kill(1);
  until(
      observer, [] {}, [] { return false; }, 0.5);
  crew.revive(0);
  crew.revive(1);
  EXPECT_TRUE(until(
      observer, [&] { crew.tell(); },
      [&] {
        return observer.status().state == SourceState::kRunning && observer.snapshot().worker(1)->lives == 2;
      }));
}

TEST(LiveSource, WaitsForAWorkerThatIsNotThereYet) {
  int port = 0;
  {
    const Publisher reserved;
    port = reserved.port();
  }
  Observer observer(make_live_source({.address = "127.0.0.1:" + std::to_string(port), .silence = 0.5}));
  until(
      observer, [] {}, [] { return false; }, 1.0);
  EXPECT_EQ(observer.status().state, SourceState::kConnecting);
  EXPECT_THAT(observer.status().text, HasSubstr("nobody answers at 127.0.0.1:" + std::to_string(port)));
  Publisher late(port);
  SampleRun run(1);
  EXPECT_TRUE(until(
      observer, [&] { late.send(telemetry::encode(run.frame(0, wall_clock(), run.header(0)))); },
      [&] { return heard(observer) == 1; }));
}

TEST(LiveSource, ARunWithASecretIsReadWithItAndNotWithout) {
  const std::string secret = "a secret that is long enough";
  Crew crew(2, secret);
  Observer knows(make_live_source({.address = crew.address(0), .secret = secret}));
  EXPECT_TRUE(until(
      knows, [&] { crew.tell(); }, [&] { return heard(knows) == 2; }));
  Observer guesses(make_live_source({.address = crew.address(0), .secret = "another secret, long enough"}));
  Observer ignores(make_live_source({.address = crew.address(0)}));
  until(
      guesses, [&] { crew.tell(), ignores.poll(); }, [] { return false; }, 2.0);
  EXPECT_EQ(heard(guesses), 0u);
  EXPECT_EQ(heard(ignores), 0u);
  EXPECT_NE(ignores.status().state, SourceState::kRunning);
}

TEST(LiveSource, GarbageIsRefusedAndCountedOnce) {
  Crew crew(1);
  Observer observer(make_live_source({.address = crew.address(0)}));
  ASSERT_TRUE(until(
      observer, [&] { crew.tell(); }, [&] { return heard(observer) == 1; }));
  const auto refusals = [&] {
    std::size_t count = 0;
    for (const Event& event : observer.snapshot().events)
      if (event.kind == EventKind::kRefused) ++count;
    return count;
  };
  EXPECT_TRUE(until(
      observer,
      [&] {
        for (int i = 0; i < 20; ++i)
          crew.publisher(0).send(std::string(static_cast<std::size_t>(i) * 37, '\xAA'));
        crew.tell();
      },
      [&] { return refusals() > 0; }));
  until(
      observer, [&] { crew.publisher(0).send("x"), crew.tell(); }, [] { return false; }, 1.0);
  EXPECT_EQ(refusals(), 1u);
  EXPECT_EQ(observer.status().state, SourceState::kRunning);
}

/// Something else listens there: an HTTP server, say, that sends bytes of its own, or nothing at all.
TEST(LiveSource, AStrangersPortIsNoHarm) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 16), 0);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::atomic<bool> ending{false};
  std::thread stranger([&] {
    while (!ending) {
      timeval patience{0, 100'000};
      setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      const int guest = accept(listener, nullptr, nullptr);
      if (guest < 0) continue;
      const std::string answer = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
      [[maybe_unused]] const auto sent = send(guest, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(guest);
    }
  });
  {
    Observer observer(make_live_source({.address = "127.0.0.1:" + std::to_string(ntohs(address.sin_port))}));
    until(
        observer, [] {}, [] { return false; }, 1.5);
    EXPECT_EQ(observer.status().state, SourceState::kConnecting);
    EXPECT_FALSE(observer.status().text.empty());
  }
  ending = true;
  stranger.join();
  close(listener);
}

TEST(LiveSource, EndsWithinASecondWhateverItIsDoing) {
  Crew crew(2);
  for (const std::string& address :
       {crew.address(0), std::string("127.0.0.1:1"), std::string("no.such.host.invalid")}) {
    auto observer = std::make_unique<Observer>(make_live_source({.address = address}));
    until(
        *observer, [&] { crew.tell(); }, [] { return false; }, 0.3);
    const auto start = std::chrono::steady_clock::now();
    observer.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1)) << address;
  }
}

TEST(LiveSource, AReaderThatSleepsLosesTheOldestFrames) {
  Crew crew(1);
  LiveSource source({.address = crew.address(0), .most_bytes = 20'000});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (source.status().dropped == 0 && std::chrono::steady_clock::now() < deadline) {
    crew.tell(20);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GT(source.status().dropped, 0u);
  std::vector<Arrival> arrivals;
  source.take(0.0, 1'000'000, arrivals);
  std::size_t bytes = 0;
  for (const Arrival& arrival : arrivals)
    bytes += arrival.bytes.size();
  EXPECT_LE(bytes, 20'000u);
}

TEST(LiveSource, RefusesWhatIsNoAddress) {
  for (const std::string text : {"", "host:", "::1", "http://x", "host:99999"}) {
    try {
      make_live_source({.address = text});
      FAIL() << text;
    } catch (const ConfigurationError& error) {
      EXPECT_THAT(error.what(), HasSubstr("cannot connect to \"" + text + "\""));
    }
  }
}

}  // namespace
}  // namespace duet::observer
