#include <csignal>

#include "contract/endpoint.h"
#include "contract/peer_process.h"

namespace duet::contract {
namespace {

bool lost(duet_status status) {
  return status == DUET_PEER_LOST || status == DUET_TIMED_OUT;
}

class Processes : public ContractTest {
 protected:
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
    std::vector<std::vector<unsigned char>> buffers(5, std::vector<unsigned char>(4u << 20));
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
    EXPECT_TRUE(lost(mine.status(receives.back()))) << mine.status(receives.back());
    mine.close(connection);
    turn(
        {&mine}, [] { return false; }, 30 * kMillisecond);  // a second completion would be noticed
  }
};

TEST_P(Processes, TalkToEachOther) {
  PeerProcess peer(GetParam());
  const auto mine = endpoint();
  for (std::uint64_t session = 1; session <= 3; ++session) {
    duet_connection* const connection = mine->connect(peer.address(), session);
    for (int i = 0; i < 20; ++i)
      ASSERT_TRUE(echo(*mine, connection, 100 * session + i));
    mine->close(connection);
  }
}

TEST_P(Processes, ThatAreKilledLeaveNothingHanging) {
  const auto mine = endpoint();
  for (int round = 0; round < 4; ++round) {
    PeerProcess peer(GetParam());
    duet_connection* const connection = mine->connect(peer.address(), 1);
    ASSERT_TRUE(echo(*mine, connection, round));
    ASSERT_NO_FATAL_FAILURE(expect_everything_ends(*mine, connection, [&] { peer.kill_and_reap(); }));
  }
  // The context has survived all of them.
  PeerProcess peer(GetParam());
  EXPECT_TRUE(echo(*mine, mine->connect(peer.address(), 1), 9));
}

TEST_P(Processes, ThatAreStoppedLeaveNothingHanging) {
  const auto mine = endpoint();
  PeerProcess stopped(GetParam()), other(GetParam());
  duet_connection* const connection = mine->connect(stopped.address(), 1);
  duet_connection* const healthy = mine->connect(other.address(), 1);
  ASSERT_TRUE(echo(*mine, connection, 1));
  ASSERT_NO_FATAL_FAILURE(expect_everything_ends(*mine, connection, [&] { stopped.signal(SIGSTOP); }));
  EXPECT_TRUE(echo(*mine, healthy, 2)) << "the other peer has done nothing wrong";
  stopped.signal(SIGCONT);
}

TEST_P(Processes, ThatAreGoneBeforeTheConnectAreReported) {
  std::string address;
  {
    PeerProcess peer(GetParam());
    address = peer.address();
  }
  const auto mine = endpoint();
  duet_error error{};
  duet_connection* const connection = mine->connect(address, 1, in(500 * kMillisecond), "rank 3");
  ASSERT_TRUE(turn(
      {mine.get()}, [&] { return mine->state(connection, &error) == DUET_CONNECTION_FAILED; }, 2 * kSecond));
  EXPECT_TRUE(lost(error.status)) << error.status;
  EXPECT_THAT(std::string(error.text), ::testing::HasSubstr("rank 3"));
  mine->close(connection);
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
