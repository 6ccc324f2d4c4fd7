/// Two processes over the plugin: what happens to the survivor when the other is killed, stopped or comes
/// back.
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "integration/libfabric/plugin_driver.h"

namespace duet::driver {
namespace {

constexpr std::uint64_t kBlock = 1 << 20;

std::vector<unsigned char> pattern(unsigned seed, std::size_t bytes = kBlock) {
  std::vector<unsigned char> data(bytes);
  for (std::size_t index = 0; index < bytes; ++index) {
    data[index] = static_cast<unsigned char>(std::size_t{seed} * 31 + index * 7 + (index >> 11));
  }
  return data;
}

/// A child that accepts session 1 and says so; what it does then is up to `then`.
void serve(Child& pipe, const std::function<void(Endpoint&, duet_connection*)>& then) {
  Endpoint endpoint;
  pipe.write(endpoint.address());
  duet_connection* connection = endpoint.accept(1, in_ms(5000));
  ASSERT_TRUE(endpoint.poll_until([&] { return state_of(connection) == DUET_CONNECTION_READY; }, 5000));
  then(endpoint, connection);
}

duet_connection* join(Endpoint& endpoint, const std::string& address, std::uint64_t session = 1) {
  duet_connection* connection = endpoint.connect(address, session, in_ms(5000));
  EXPECT_TRUE(endpoint.poll_until([&] { return state_of(connection) == DUET_CONNECTION_READY; }, 5000))
      << error_of(connection).text;
  return connection;
}

/// Sends and receives `count` blocks with four in flight each way, and checks what came.
void exchange_blocks(Endpoint& endpoint, duet_connection* connection, unsigned mine, unsigned theirs,
                     unsigned count) {
  constexpr unsigned kInFlight = 4;
  std::vector<std::vector<unsigned char>> outgoing(count);
  std::vector<std::vector<unsigned char>> incoming(count, std::vector<unsigned char>(kBlock));
  unsigned posted_sends = 0;
  unsigned posted_receives = 0;
  const auto finished = [&](unsigned first) {
    unsigned result = 0;
    for (const auto& [operation, completion] : endpoint.finished()) {
      result += operation >= first && operation < first + 1000 ? 1 : 0;
    }
    return result;
  };
  while (finished(0) < count || finished(1000) < count) {
    for (; posted_sends < count && posted_sends < finished(0) + kInFlight; ++posted_sends) {
      outgoing[posted_sends] = pattern(mine + posted_sends);
      ASSERT_EQ(endpoint.send(connection, outgoing[posted_sends].data(), kBlock, posted_sends, in_ms(10000)),
                DUET_OK);
    }
    for (; posted_receives < count && posted_receives < finished(1000) + kInFlight; ++posted_receives) {
      ASSERT_EQ(endpoint.receive(connection, incoming[posted_receives].data(), kBlock, 1000 + posted_receives,
                                 in_ms(10000)),
                DUET_OK);
    }
    endpoint.poll(1'000'000'000);
    // Who is done may close at once; what is not complete by then will never be.
    ASSERT_TRUE(state_of(connection) != DUET_CONNECTION_FAILED ||
                (finished(0) == count && finished(1000) == count))
        << error_of(connection).text;
  }
  for (const auto& [operation, completion] : endpoint.finished()) {
    EXPECT_EQ(completion.status, DUET_OK);
    EXPECT_EQ(completion.bytes, kBlock);
  }
  for (unsigned index = 0; index < count; ++index) {
    EXPECT_EQ(incoming[index], pattern(theirs + index)) << "block " << index;
  }
}

TEST(LibfabricTwoProcesses, ExchangeBlocksBothWaysAtOnce) {
  Child child([](Child& pipe) {
    serve(pipe, [](Endpoint& endpoint, duet_connection* connection) {
      exchange_blocks(endpoint, connection, 200, 100, 24);
      plugin().close_connection(connection);  // at once: what it sent must have arrived
    });
  });
  const std::string address = child.read();
  Endpoint endpoint;
  duet_connection* connection = join(endpoint, address);
  exchange_blocks(endpoint, connection, 100, 200, 24);
  EXPECT_EQ(child.wait(), 0);
}

TEST(LibfabricTwoProcesses, AKilledPeerEndsWhatIsInFlight) {
  Child child([](Child& pipe) {
    serve(pipe, [](Endpoint& endpoint, duet_connection*) {
      for (;;) {
        endpoint.poll(1'000'000'000);
      }
    });
  });
  const std::string address = child.read();
  Endpoint endpoint;
  duet_connection* connection = join(endpoint, address);
  std::vector<unsigned char> incoming(kBlock);
  const std::vector<unsigned char> outgoing = pattern(1, 8 * kBlock);
  ASSERT_EQ(endpoint.receive(connection, incoming.data(), incoming.size(), 1, in_ms(10000)), DUET_OK);
  ASSERT_EQ(endpoint.send(connection, outgoing.data(), outgoing.size(), 2, in_ms(10000)), DUET_OK);
  endpoint.poll(50'000'000);
  const std::uint64_t killed = now_ns();
  child.signal(SIGKILL);
  ASSERT_TRUE(endpoint.poll_until_finished(2, 5000));
  EXPECT_LT(now_ns() - killed, 3'000'000'000u);
  EXPECT_EQ(endpoint.status_of(1), DUET_PEER_LOST);
  EXPECT_EQ(endpoint.status_of(2), DUET_PEER_LOST);
  const std::string text = error_of(connection).text;
  EXPECT_EQ(state_of(connection), DUET_CONNECTION_FAILED);
  EXPECT_NE(text.find("rank 3 (127.0.0.1:"), std::string::npos) << text;
  EXPECT_NE(text.find("tcp"), std::string::npos) << text;
  EXPECT_EQ(endpoint.send(connection, outgoing.data(), 1, 3), DUET_PEER_LOST);
  plugin().close_connection(connection);
}

// A message without a receive makes the provider stop reading; a reset must still be noticed, and no core may
// burn.
TEST(LibfabricTwoProcesses, AKilledPeerIsNoticedBehindAnUnreadMessage) {
  Child child([](Child& pipe) {
    serve(pipe, [](Endpoint& endpoint, duet_connection* connection) {
      static const std::vector<unsigned char> outgoing = pattern(1, 4 * kBlock);
      ASSERT_EQ(endpoint.send(connection, outgoing.data(), outgoing.size(), 1), DUET_OK);
      for (;;) {
        endpoint.poll(1'000'000'000);
      }
    });
  });
  const std::string address = child.read();
  Endpoint endpoint;
  duet_connection* connection = join(endpoint, address);
  const std::vector<unsigned char> outgoing = pattern(1, 4 * kBlock);
  ASSERT_EQ(endpoint.send(connection, outgoing.data(), outgoing.size(), 1, in_ms(5000)), DUET_OK);
  endpoint.poll(100'000'000);
  child.signal(SIGKILL);
  child.wait();
  const double before = cpu_seconds();
  const std::uint64_t start = now_ns();
  EXPECT_TRUE(endpoint.poll_until_finished(1, 5000));
  EXPECT_EQ(endpoint.status_of(1), DUET_PEER_LOST) << error_of(connection).text;
  EXPECT_LT(now_ns() - start, 3'000'000'000u);
  EXPECT_LT(cpu_seconds() - before, 0.2);
  plugin().close_connection(connection);
}

TEST(LibfabricTwoProcesses, AStoppedPeerRunsIntoTheDeadlineAndANewSessionWorksAfterwards) {
  Child child([](Child& pipe) {
    Endpoint endpoint;
    pipe.write(endpoint.address());
    duet_connection* first = endpoint.accept(1);
    duet_connection* second = endpoint.accept(2);
    ASSERT_TRUE(endpoint.poll_until([&] { return state_of(second) == DUET_CONNECTION_READY; }, 20000));
    // What the first session was sent while we were stopped must not show up here.
    exchange_blocks(endpoint, second, 50, 60, 3);
    plugin().close_connection(first);
    plugin().close_connection(second);
  });
  const std::string address = child.read();
  Endpoint endpoint;
  duet_connection* connection = join(endpoint, address);
  child.signal(SIGSTOP);
  std::vector<unsigned char> incoming(kBlock);
  const std::vector<unsigned char> outgoing = pattern(1, 16 * kBlock);
  const std::uint64_t deadline = in_ms(300);
  ASSERT_EQ(endpoint.send(connection, outgoing.data(), outgoing.size(), 1, deadline), DUET_OK);
  ASSERT_EQ(endpoint.receive(connection, incoming.data(), incoming.size(), 2, deadline + 5'000'000'000),
            DUET_OK);
  ASSERT_TRUE(endpoint.poll_until_finished(2, 3000));
  EXPECT_GE(now_ns(), deadline);
  EXPECT_LT(now_ns(), deadline + 1'000'000'000) << "long before the other's deadline";
  EXPECT_EQ(endpoint.status_of(1), DUET_TIMED_OUT);
  EXPECT_EQ(endpoint.status_of(2), DUET_TIMED_OUT)
      << "the failed connection ends the rest with its own status";
  EXPECT_NE(std::string(error_of(connection).text).find("deadline"), std::string::npos)
      << error_of(connection).text;
  plugin().close_connection(connection);

  // Connecting to a stopped process: the system answers for it, the process does not.
  duet_connection* unanswered = endpoint.connect(address, 3, in_ms(200));
  EXPECT_TRUE(endpoint.poll_until([&] { return state_of(unanswered) == DUET_CONNECTION_FAILED; }, 1000));
  EXPECT_EQ(error_of(unanswered).status, DUET_TIMED_OUT) << error_of(unanswered).text;
  plugin().close_connection(unanswered);

  child.signal(SIGCONT);
  endpoint.forget_finished();
  duet_connection* again = join(endpoint, address, 2);
  exchange_blocks(endpoint, again, 60, 50, 3);
  plugin().close_connection(again);
  EXPECT_EQ(child.wait(), 0);
}

TEST(LibfabricTwoProcesses, ARestartedPeerIsReachedAtItsNewAddress) {
  for (unsigned life = 0; life < 3; ++life) {
    Child child([](Child& pipe) {
      serve(pipe, [](Endpoint& endpoint, duet_connection* connection) {
        exchange_blocks(endpoint, connection, 7, 9, 2);
        for (;;) {
          endpoint.poll(1'000'000'000);
        }
      });
    });
    const std::string address = child.read();
    Endpoint endpoint;
    duet_connection* connection = join(endpoint, address);
    exchange_blocks(endpoint, connection, 9, 7, 2);
    child.signal(SIGKILL);
    EXPECT_TRUE(endpoint.poll_until([&] { return state_of(connection) == DUET_CONNECTION_FAILED; }, 2000));
    duet_connection* late = endpoint.connect(address, 77, in_ms(2000));
    EXPECT_TRUE(endpoint.poll_until([&] { return state_of(late) == DUET_CONNECTION_FAILED; }, 3000));
    EXPECT_EQ(error_of(late).status, DUET_PEER_LOST) << error_of(late).text;
    // The system refuses, or resets what was in the dying process's backlog.
    EXPECT_NE(std::string(error_of(late).text).find("cannot connect: Connection re"), std::string::npos)
        << error_of(late).text;
  }
}

}  // namespace
}  // namespace duet::driver
