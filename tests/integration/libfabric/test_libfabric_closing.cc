/// Closing connections and contexts, whatever the peers do meanwhile: nothing is left behind.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "integration/libfabric/plugin_driver.h"
#include "support/sanitizers.h"

#ifdef DUET_UNDER_ASAN
#include <sanitizer/lsan_interface.h>
#endif

namespace duet::driver {
namespace {

TEST(Libfabric, AThousandConnectionsLeaveNoDescriptorBehind) {
  Endpoint warm_up;  // libfabric opens a few of its own, once
  const std::size_t before = open_descriptors();
  {
    Endpoint a;
    Endpoint b;
    const std::string address = b.address();
    const std::size_t idle = open_descriptors();
    char word[8] = "hello";
    for (std::uint64_t session = 1; session <= 1000; ++session) {
      duet_connection* from_a = a.connect(address, session, in_ms(5000));
      duet_connection* from_b = session % 3 == 0 ? nullptr : b.accept(session, in_ms(5000));
      if (session % 3 == 1) {
        char room[8] = "";
        ASSERT_EQ(a.send(from_a, word, sizeof word, session), DUET_OK);
        ASSERT_EQ(b.receive(from_b, room, sizeof room, session), DUET_OK);
        ASSERT_TRUE(poll_both(
            a, b, [&] { return b.status_of(session) == DUET_OK; }, 2000))
            << session;
        ASSERT_STREQ(room, word);
      } else if (session % 3 == 2) {
        b.poll(0);  // closed while half open
      }
      plugin().close_connection(from_a);
      if (from_b != nullptr) {
        plugin().close_connection(from_b);
      }
    }
    poll_both(
        a, b, [] { return false; }, 100);
    // Requests that nobody accepted wait for a while; at most the bound of them.
    EXPECT_LE(open_descriptors(), idle + 256);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Libfabric, ClosingAContextIsQuickAndTellsThePeers) {
  Endpoint warm_up;
  const std::size_t before = open_descriptors();
  {
    Pair pair;
    std::vector<char> data(8 << 20);
    ASSERT_EQ(pair.b.send(pair.from_b, data.data(), data.size(), 1), DUET_OK);
    ASSERT_EQ(pair.b.receive(pair.from_b, data.data(), data.size(), 2), DUET_OK);
    ASSERT_EQ(pair.a.receive(pair.from_a, data.data(), data.size(), 2), DUET_OK);
    pair.b.accept(17);
    pair.b.connect(pair.a.address(), 18);
    const std::uint64_t start = now_ns();
    pair.b.close();
    EXPECT_LT(now_ns() - start, 1'000'000'000u);
    ASSERT_TRUE(pair.a.poll_until_finished(1, 1000));
    EXPECT_EQ(pair.a.status_of(2), DUET_PEER_LOST);
  }
  EXPECT_EQ(open_descriptors(), before);
}

int connect_raw(const std::string& address) {
  const int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(stranger, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return stranger;
}

TEST(Libfabric, StrangersOnThePortDoNoHarm) {
  Pair pair;
  const std::string address = pair.b.address();
  std::vector<int> strangers;
  for (int index = 0; index < 40; ++index) {
    strangers.push_back(connect_raw(address));
    const std::string noise(static_cast<std::size_t>(index) * 17, static_cast<char>(index * 11));
    EXPECT_EQ(write(strangers.back(), noise.data(), noise.size()), static_cast<ssize_t>(noise.size()));
    pair.b.poll(0);
    if (index % 2 == 0) {
      close(strangers.back());
      strangers.pop_back();
    }
  }
  char word[8] = "hello";
  char room[8] = "";
  ASSERT_EQ(pair.a.send(pair.from_a, word, sizeof word, 1), DUET_OK);
  ASSERT_EQ(pair.b.receive(pair.from_b, room, sizeof room, 1), DUET_OK);
  EXPECT_TRUE(poll_both(
      pair.a, pair.b, [&] { return pair.b.status_of(1) == DUET_OK; }, 2000));
  const double before = cpu_seconds();
  pair.b.forget_finished();
  pair.b.poll_until_finished(1, 500);
  EXPECT_LT(cpu_seconds() - before, 0.02) << "strangers must not keep it busy";
  for (const int stranger : strangers) {
    close(stranger);
  }
}

TEST(Libfabric, AnEventOfAClosedConnectionReachesNoOther) {
  Endpoint a;
  Endpoint b;
  for (std::uint64_t session = 1; session <= 50; ++session) {
    duet_connection* from_a = a.connect(b.address(), session, in_ms(5000));
    poll_both(
        a, b, [] { return false; }, 2);
    duet_connection* from_b = b.accept(session, in_ms(5000));  // which queues the event that it is connected
    plugin().close_connection(from_b);
    // Its endpoint lies where the closed one lay, and nobody accepts it.
    duet_connection* reused = b.connect(a.address(), 1000 + session, in_ms(5000));
    poll_both(
        a, b, [] { return false; }, 2);
    EXPECT_EQ(state_of(reused), DUET_CONNECTION_PENDING) << session;
    plugin().close_connection(reused);
    plugin().close_connection(from_a);
  }
}

/// While it lives, memory that is never freed is no leak of ours. libfabric 1.17 keeps what it has let in at
/// its port, but not yet read a request from, when that port is closed, and offers no way to ask for it.
#ifdef DUET_UNDER_ASAN
using LibfabricForgets = __lsan::ScopedDisabler;
#else
struct LibfabricForgets {
  LibfabricForgets() {}  // so that a variable of it counts as used
};
#endif

TEST(Libfabric, AContextClosesWhileSomebodyConnectsToWhatItAccepts) {
  for (int delay_ms = 0; delay_ms < 10; ++delay_ms) {
    Endpoint a;
    Endpoint b;
    b.accept(1, in_ms(5000));
    a.connect(b.address(), 1, in_ms(5000));
    // From "on its way" to "has arrived": b looks for the first time while it closes.
    a.poll_until([] { return false; }, static_cast<std::uint64_t>(delay_ms));
    const LibfabricForgets those_who_have_not_yet_said_what_they_want;
    b.close();
  }
}

}  // namespace
}  // namespace duet::driver
