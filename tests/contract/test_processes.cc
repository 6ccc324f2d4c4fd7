#include <algorithm>
#include <csignal>
#include <random>

#include "contract/contract_test.h"
#include "contract/peer_process.h"

namespace duet::contract {
namespace {

using ::testing::HasSubstr;

class Processes : public ContractTest {
 protected:
  /// The nth connection of that peer.
  static duet_connection* connect(Endpoint& mine, const PeerProcess& peer, std::uint64_t nth,
                                  std::uint64_t deadline = in(kPatience), const char* name = "rank 7") {
    return mine.connect_to(peer.address(), peer.ticket(nth), peer.session(nth), deadline, name);
  }

  static bool echo(Endpoint& mine, duet_connection* connection, std::uint64_t seed) {
    const auto out = pattern(PeerProcess::kEchoBytes, seed);
    std::vector<unsigned char> back(out.size());
    mine.send(connection, out.data(), out.size(), in(kPatience));
    mine.receive(connection, back.data(), back.size(), in(kPatience));
    return turn({&mine}, [&] { return mine.in_flight() == 0; }) && back == out;
  }

  /// What a worker has in flight when its peer goes, and that all of it ends.
  void expect_everything_ends(Endpoint& mine, duet_connection* connection,
                              const std::function<void()>& misfortune) {
    std::vector<std::vector<unsigned char>> buffers(5, std::vector<unsigned char>(up_to(4u << 20)));
    std::vector<std::uint64_t> receives;
    const std::uint64_t deadline = in(kSecond);
    for (int i = 0; i < 3; ++i) {
      receives.push_back(mine.receive(connection, buffers[i].data(), buffers[i].size(), deadline));
    }
    for (int i = 3; i < 5; ++i)
      mine.send(connection, buffers[i].data(), PeerProcess::kEchoBytes, deadline);
    misfortune();
    ASSERT_TRUE(turn(
        {&mine}, [&] { return mine.in_flight() == 0; }, 3 * kSecond))
        << "an operation hangs";
    EXPECT_TRUE(is_loss(mine.status(receives.back()))) << mine.status(receives.back());
    mine.close(connection);
    idle({&mine}, 30 * kMillisecond);  // a second completion would be noticed
  }
};

TEST_P(Processes, TalkToEachOther) {
  holds_to({"CONN-1", "OP-2"});
  PeerProcess peer(GetParam());
  const auto mine = endpoint();
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    duet_connection* const connection = connect(*mine, peer, nth);
    for (int i = 0; i < 20; ++i)
      ASSERT_TRUE(echo(*mine, connection, 100 * nth + i));
    mine->close(connection);
  }
}

TEST_P(Processes, ThatAreKilledLeaveNothingHanging) {
  holds_to({"END-3", "OP-1", "TIME-3"});
  const auto mine = endpoint();
  for (int round = 0; round < 4; ++round) {
    PeerProcess peer(GetParam());
    duet_connection* const connection = connect(*mine, peer, 1);
    ASSERT_TRUE(echo(*mine, connection, round));
    ASSERT_NO_FATAL_FAILURE(expect_everything_ends(*mine, connection, [&] { peer.kill_and_reap(); }));
  }
  // The context has survived all of them.
  PeerProcess peer(GetParam());
  EXPECT_TRUE(echo(*mine, connect(*mine, peer, 1), 9));
}

TEST_P(Processes, ThatAreStoppedLeaveNothingHanging) {
  holds_to({"TIME-3", "OP-1", "CONN-8"});
  const auto mine = endpoint();
  PeerProcess stopped(GetParam()), other(GetParam());
  duet_connection* const connection = connect(*mine, stopped, 1);
  duet_connection* const healthy = connect(*mine, other, 1);
  ASSERT_TRUE(echo(*mine, connection, 1));
  ASSERT_NO_FATAL_FAILURE(expect_everything_ends(*mine, connection, [&] { stopped.signal(SIGSTOP); }));
  EXPECT_TRUE(echo(*mine, healthy, 2)) << "the other peer has done nothing wrong";
  stopped.signal(SIGCONT);
}

TEST_P(Processes, ThatAreGoneBeforeTheConnectAreReported) {
  holds_to({"CONN-4", "TIME-2", "ERR-1"});
  std::string address, ticket;
  std::uint64_t session = 0;
  {
    PeerProcess peer(GetParam());
    address = peer.address();
    ticket = peer.ticket(1);
    session = peer.session(1);
  }
  const auto mine = endpoint();
  duet_error error{};
  duet_connection* connection = nullptr;
  if (mine->try_connect(address, ticket, session, in(500 * kMillisecond), "rank 3", &connection, &error) ==
      DUET_OK) {
    ASSERT_TRUE(turn(
        {mine.get()}, [&] { return mine->state(connection, &error) == DUET_CONNECTION_FAILED; },
        2 * kSecond));
    mine->close(connection);
  }
  EXPECT_TRUE(is_loss(error.status)) << Status(error.status);
  EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
}

TEST_P(Processes, ThatAreStoppedBeforeTheConnectRunIntoItsDeadline) {
  holds_to({"TIME-2", "TIME-3", "ERR-1"});
  const auto mine = endpoint();
  std::uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 4 && best > 100 * kMillisecond; ++attempt) {
    PeerProcess peer(GetParam());
    peer.signal(SIGSTOP);
    const std::uint64_t deadline = in(200 * kMillisecond);
    duet_connection* const connection = connect(*mine, peer, 1, deadline, "rank 3");
    duet_error error{};
    ASSERT_TRUE(
        turn({mine.get()}, [&] { return mine->state(connection, &error) == DUET_CONNECTION_FAILED; }));
    const std::uint64_t failed_at = now_ns();
    EXPECT_EQ(Status(error.status), DUET_TIMED_OUT);
    EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
    mine->close(connection);
    best = std::min(best, failed_at > deadline ? failed_at - deadline : 0);
  }
  EXPECT_LE(best, 100 * kMillisecond) << "nanoseconds late";
}

TEST_P(Processes, ThatAreHitInMidMessageAreReportedInTimeAndTheOthersGoOn) {
  holds_to({"END-3", "TIME-3", "OP-1", "CONN-8", "ERR-1"});
  const std::size_t bytes = up_to(4u << 20);
  constexpr std::uint64_t kDeadline = 300 * kMillisecond;
  std::minstd_rand random(std::random_device{}());
  const auto mine = endpoint();
  PeerProcess healthy(GetParam());
  duet_connection* const steady = connect(*mine, healthy, 1, in(kPatience), "rank 4");
  for (int round = 0; round < count(10, 100); ++round) {
    const int signal = round % 2 == 0 ? SIGKILL : SIGSTOP;
    SCOPED_TRACE(::testing::Message() << "round " << round << (signal == SIGKILL ? ", kill" : ", stop"));
    PeerProcess victim(GetParam(), bytes);
    duet_connection* const connection = connect(*mine, victim, 1, in(kPatience), "rank 3");
    std::vector<unsigned char> out(bytes), back(bytes);
    const std::uint64_t hit_at = in(random() % (30 * kMillisecond));
    bool hit = false;
    std::uint64_t deadline = 0;
    Status failure = DUET_OK;
    // Message after message, until one of them fails, or is refused because the peer is known to be gone.
    while (failure == DUET_OK) {
      deadline = in(kDeadline);
      std::vector<std::uint64_t> ids;
      for (const bool send : {true, false}) {
        duet_error error{};
        const Status status =
            mine->try_post(send, connection, send ? out.data() : back.data(), bytes, deadline, &error);
        if (status == DUET_OK) ids.push_back(mine->last_id());
        if (status != DUET_OK) {
          EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
          failure = status;
        }
      }
      ASSERT_TRUE(turn(
          {mine.get()},
          [&] {
            if (!hit && now_ns() >= hit_at) {
              victim.signal(signal);
              hit = true;
            }
            return mine->in_flight() == 0;
          },
          kDeadline + kSecond))
          << "an operation is later than its deadline and a second";
      for (const auto id : ids) {
        if (failure == DUET_OK) failure = mine->status(id);
      }
      ASSERT_TRUE(failure == DUET_OK || hit || now_ns() > deadline) << "failed without a reason";
    }
    EXPECT_TRUE(is_loss(failure)) << failure;
    if (table_.last_error != nullptr) {
      duet_error error{};
      table_.last_error(connection, &error);
      EXPECT_TRUE(is_loss(error.status)) << Status(error.status);
      EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
    }
    mine->close(connection);
    ASSERT_TRUE(echo(*mine, steady, round)) << "the other peer has done nothing wrong";
  }
}

std::vector<Source> sources_that_reach_other_processes() {
  std::vector<Source> sources;
  for (const Source& source : all_sources()) {
    if (!source.own_process_only) sources.push_back(source);
  }
  return sources;
}

// Without any plugin there are none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Processes);
INSTANTIATE_TEST_SUITE_P(Transports, Processes, ::testing::ValuesIn(sources_that_reach_other_processes()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace duet::contract
