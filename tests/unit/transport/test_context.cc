#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "transport/services.h"
#include "transport/transport.h"

namespace duet::transport {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMillisecond;

std::uint64_t in(std::uint64_t nanoseconds) {
  return now_ns() + nanoseconds;
}

/// Two workers' endpoints in one process, and the connection between them.
class ContextTest : public ::testing::Test {
 protected:
  ContextTest()
      : a_(std::make_unique<Context>(load_transport("inproc", {}), Settings{})),
        b_(std::make_unique<Context>(load_transport("inproc", {}), Settings{})) {}

  void join(std::uint64_t session = 1) {
    a_to_b_ = a_->connect("rank 1", session, b_->address(), in(kSecond));
    b_to_a_ = b_->accept("rank 0", session, in(kSecond));
  }
  void poll_both() {
    a_->poll(0);
    b_->poll(0);
  }
  static Completion record(std::vector<duet_status>& into) {
    return [&into](duet_status status, std::uint64_t) { into.push_back(status); };
  }

  std::unique_ptr<Context> a_, b_;
  std::unique_ptr<Connection> a_to_b_, b_to_a_;
};

TEST_F(ContextTest, CarriesAMessageAndRunsBothCallbacksFromPoll) {
  join();
  const std::string text = "forty-two";
  std::string got(text.size(), ' ');
  std::optional<std::uint64_t> sent, received;
  ASSERT_TRUE(a_to_b_->send(text.data(), text.size(), 0, [&](duet_status status, std::uint64_t bytes) {
    EXPECT_EQ(status, DUET_OK);
    sent = bytes;
  }));
  ASSERT_TRUE(b_to_a_->receive(got.data(), got.size(), 0, [&](duet_status status, std::uint64_t bytes) {
    EXPECT_EQ(status, DUET_OK);
    received = bytes;
  }));
  EXPECT_FALSE(sent || received) << "a callback ran inside a post";
  EXPECT_EQ(a_->in_flight(), 1u);
  EXPECT_EQ(a_->poll(0), 1u);
  EXPECT_EQ(b_->poll(0), 1u);
  EXPECT_EQ(sent, text.size());
  EXPECT_EQ(received, text.size());
  EXPECT_EQ(got, text);
  EXPECT_EQ(a_->in_flight() + b_->in_flight(), 0u);
}

TEST_F(ContextTest, RefusedOperationsReportThroughTheNextPoll) {
  join();
  b_to_a_.reset();
  char byte = 0;
  std::vector<duet_status> ended;
  ASSERT_TRUE(a_to_b_->send(&byte, 1, 0, record(ended)));
  EXPECT_TRUE(ended.empty());
  std::uint64_t timeout = kSecond;
  EXPECT_FALSE(a_->arm(timeout)) << "a callback is due: this is no time to sleep";
  a_->poll(kSecond);
  EXPECT_EQ(ended, std::vector<duet_status>{DUET_PEER_LOST});
  EXPECT_EQ(a_to_b_->state(), Connection::State::kFailed);
  EXPECT_THAT(a_to_b_->error(), HasSubstr("rank 1"));
  EXPECT_THAT(a_to_b_->error(), HasSubstr("inproc"));
}

TEST_F(ContextTest, ARefusedConnectIsAFailedConnectionThatSaysWhy) {
  const auto connection = a_->connect("rank 7", 1, "not an address", in(kSecond));
  EXPECT_EQ(connection->state(), Connection::State::kFailed);
  EXPECT_THAT(connection->error(), HasSubstr("rank 7"));
  char byte = 0;
  std::vector<duet_status> ended;
  ASSERT_TRUE(connection->receive(&byte, 1, 0, record(ended)));
  EXPECT_EQ(a_->poll(0), 1u);
  EXPECT_EQ(ended.size(), 1u);
}

TEST_F(ContextTest, ConnectingToAClosedContextFails) {
  const std::string address = b_->address();
  b_.reset();
  const auto connection = a_->connect("rank 1", 1, address, in(kSecond));
  EXPECT_EQ(connection->state(), Connection::State::kFailed);
  EXPECT_THAT(connection->error(), HasSubstr("rank 1 closed its context"));
}

TEST_F(ContextTest, CallbacksMayPostAgain) {
  join();
  int value = 0;
  int received = 0;
  std::vector<int> got;
  std::function<void()> receive_next = [&] {
    b_to_a_->receive(&received, sizeof(received), 0, [&](duet_status status, std::uint64_t) {
      ASSERT_EQ(status, DUET_OK);
      got.push_back(received);
      if (got.size() < 100) receive_next();
    });
  };
  std::function<void()> send_next = [&] {
    a_to_b_->send(&value, sizeof(value), 0, [&](duet_status status, std::uint64_t) {
      ASSERT_EQ(status, DUET_OK);
      if (++value < 100) send_next();
    });
  };
  receive_next();
  send_next();
  for (int i = 0; i < 1000 && got.size() < 100; ++i)
    poll_both();
  ASSERT_EQ(got.size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(got[i], i);
}

TEST_F(ContextTest, ACallbackThatAlwaysPostsAgainDoesNotKeepPoll) {
  join();
  b_to_a_.reset();
  char byte = 0;
  int runs = 0;
  std::function<void()> again = [&] {
    a_to_b_->send(&byte, 1, 0, [&](duet_status, std::uint64_t) {
      ++runs;
      again();
    });
  };
  again();
  EXPECT_EQ(a_->poll(0), 1u);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(a_->poll(0), 1u);
  EXPECT_EQ(runs, 2);
}

TEST_F(ContextTest, ACallbackMayDestroyItsConnectionAndOthers) {
  join(1);
  auto second_a = a_->connect("rank 1", 2, b_->address(), in(kSecond));
  auto second_b = b_->accept("rank 0", 2, in(kSecond));
  char byte[4] = {};
  std::vector<duet_status> ended;
  a_to_b_->send(&byte[0], 1, 0, [&](duet_status status, std::uint64_t) {
    ended.push_back(status);
    a_to_b_.reset();
    second_a.reset();
  });
  a_to_b_->receive(&byte[1], 1, 0, record(ended));
  second_a->receive(&byte[2], 1, 0, record(ended));
  b_to_a_->receive(&byte[3], 1, 0, [](duet_status, std::uint64_t) {});
  for (int i = 0; i < 3; ++i)
    poll_both();
  EXPECT_EQ(ended, (std::vector<duet_status>{DUET_OK, DUET_CANCELLED, DUET_CANCELLED}));
  EXPECT_EQ(second_b->state(), Connection::State::kFailed);
}

TEST_F(ContextTest, DestroyingAConnectionCancelsWhatIsInFlight) {
  join();
  char byte = 0;
  std::vector<duet_status> mine, theirs;
  a_to_b_->receive(&byte, 1, 0, record(mine));
  b_to_a_->receive(&byte, 1, 0, record(theirs));
  a_to_b_.reset();
  EXPECT_TRUE(mine.empty());
  poll_both();
  EXPECT_EQ(mine, std::vector<duet_status>{DUET_CANCELLED});
  EXPECT_EQ(theirs, std::vector<duet_status>{DUET_PEER_LOST});
  EXPECT_THAT(b_to_a_->error(), HasSubstr("rank 0 closed the connection"));
}

TEST_F(ContextTest, DestroyingTheContextReleasesCallbacksWithoutRunningThem) {
  join();
  const auto held = std::make_shared<int>(1);
  char byte = 0;
  a_to_b_->receive(&byte, 1, 0, [held](duet_status, std::uint64_t) { FAIL() << "nobody polls any more"; });
  EXPECT_EQ(held.use_count(), 2);
  a_.reset();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(a_to_b_->state(), Connection::State::kFailed);
  EXPECT_THAT(a_to_b_->error(), HasSubstr("rank 1"));
  EXPECT_THROW(a_to_b_->send(&byte, 1, 0, nullptr), TransportError);
}

TEST_F(ContextTest, ACallbackMayOwnTheConnectionThatItBelongsTo) {
  join();
  char byte = 0;
  const std::shared_ptr<Connection> shared = std::move(a_to_b_);
  shared->receive(&byte, 1, 0, [shared](duet_status, std::uint64_t) {});
  a_.reset();
  EXPECT_EQ(shared.use_count(), 1);
}

TEST_F(ContextTest, AThrowingCallbackLosesNoOtherCompletion) {
  join();
  char out[3] = {1, 2, 3};
  char in_bytes[3] = {};
  std::vector<duet_status> ended;
  a_to_b_->send(&out[0], 1, 0, [](duet_status, std::uint64_t) { throw std::runtime_error("mine"); });
  a_to_b_->send(&out[1], 1, 0, record(ended));
  for (char& byte : in_bytes)
    b_to_a_->receive(&byte, 1, 0, [](duet_status, std::uint64_t) {});
  EXPECT_THROW(a_->poll(0), std::runtime_error);
  EXPECT_EQ(a_->poll(0), 1u);
  EXPECT_EQ(ended, std::vector<duet_status>{DUET_OK});
}

TEST_F(ContextTest, SettingsThatTheTransportDoesNotKnowAreRefusedByName) {
  try {
    Context context(load_transport("inproc", {}), {{"provider", "tcp"}});
    FAIL() << "an unknown setting was accepted";
  } catch (const TransportError& error) {
    EXPECT_THAT(error.what(), HasSubstr("provider"));
    EXPECT_THAT(error.what(), HasSubstr("inproc"));
  }
}

/// The in-process transport, which needs no registration, in the guise of one that does.
struct Pinning {
  static inline int registered = 0;
  static inline int unregistered = 0;
  static inline int with_registration = 0;  ///< posts
  static inline bool refuse = false;
  static inline duet_transport inner{};

  static duet_status pin(duet_context*, const duet_memory* memory, void** registration, duet_error* error) {
    if (refuse) {
      error->status = DUET_NOT_SUPPORTED;
      return DUET_NOT_SUPPORTED;
    }
    ++registered;
    *registration = memory->data;
    return DUET_OK;
  }
  static void unpin(duet_context*, void*) { ++unregistered; }
  static duet_status send(duet_connection* connection, const duet_memory* memory, std::uint64_t operation,
                          std::uint64_t deadline_ns, duet_error* error) {
    with_registration += memory->registration != nullptr ? 1 : 0;
    return inner.post_send(connection, memory, operation, deadline_ns, error);
  }
  static std::shared_ptr<const Transport> transport() {
    static duet_transport table;
    inner = load_transport("inproc", {})->table();
    table = inner;
    table.register_memory = pin;
    table.unregister_memory = unpin;
    table.post_send = send;
    registered = unregistered = with_registration = 0;
    refuse = false;
    return std::make_shared<Transport>(&table, "here");
  }
};

TEST_F(ContextTest, PostsCarryTheRegistrationOfTheMemoryTheyLieIn) {
  a_ = std::make_unique<Context>(Pinning::transport(), Settings{});
  join();
  std::vector<char> arena(1000);
  std::vector<char> outside(1000);
  auto registration = a_->register_memory(arena.data(), arena.size());
  ASSERT_NE(registration, nullptr);
  EXPECT_EQ(Pinning::registered, 1);
  EXPECT_EQ(a_->register_memory(arena.data(), 10), nullptr) << "it is registered";
  const auto carries = [&](const char* data, std::uint64_t bytes) {
    const int before = Pinning::with_registration;
    EXPECT_TRUE(a_to_b_->send(data, bytes, 0, {}));
    return Pinning::with_registration > before;
  };
  EXPECT_TRUE(carries(arena.data(), arena.size()));
  EXPECT_TRUE(carries(arena.data() + 999, 1));
  EXPECT_FALSE(carries(arena.data() + 999, 2));
  EXPECT_FALSE(carries(outside.data(), 10));
  registration.reset();
  EXPECT_EQ(Pinning::unregistered, 1);
  EXPECT_FALSE(carries(arena.data(), 1));
  // The transport's end is the end of all registrations; a handle that outlives it does nothing.
  registration = a_->register_memory(arena.data(), arena.size());
  a_.reset();
  registration.reset();
  EXPECT_EQ(Pinning::unregistered, 1);
}

TEST_F(ContextTest, MemoryThatCannotBeRegisteredIsUsedAsItIs) {
  std::vector<char> arena(1000);
  EXPECT_EQ(a_->register_memory(arena.data(), arena.size()), nullptr) << "inproc has no use for it";
  a_ = std::make_unique<Context>(Pinning::transport(), Settings{});
  join();
  Pinning::refuse = true;
  EXPECT_EQ(a_->register_memory(arena.data(), arena.size()), nullptr);
  EXPECT_TRUE(a_to_b_->send(arena.data(), 1, 0, {}));
}

TEST(Services, CountersAddUpByNameAcrossThreads) {
  const duet_services& services = host_services();
  const auto count = [&] {
    for (int i = 0; i < 1000; ++i)
      services.count("test_counter", 2);
  };
  std::thread other(count);
  count();
  other.join();
  EXPECT_EQ(counters().at("test_counter"), 4000u);
  services.count(nullptr, 1);
  services.log(DUET_LOG_INFO, nullptr);
}

TEST(Services, TheClockIsMonotonicNanoseconds) {
  const std::uint64_t before = host_services().now_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::uint64_t passed = host_services().now_ns() - before;
  EXPECT_GE(passed, 20 * kMillisecond);
  EXPECT_LT(passed, 2 * kSecond);
}

}  // namespace
}  // namespace duet::transport
