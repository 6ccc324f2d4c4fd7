#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "contract/contract_test.h"

namespace duet::contract {
namespace {

class Threads : public ContractTest {};

TEST_P(Threads, TwoContextsPlayPingPongFromTwoThreads) {
  holds_to({"CTX-1"});
  const auto a = endpoint(), b = endpoint();
  constexpr int kRounds = 150;
  const auto bytes_of = [](int round) { return static_cast<std::size_t>((round * 7919) % 60'000); };
  std::atomic<int> left{2};
  // A peer must go on polling until the other has what it sent.
  const auto linger = [&](Endpoint& endpoint) {
    --left;
    const std::uint64_t give_up = in(kPatience);
    while (left > 0 && now_ns() < give_up)
      endpoint.poll(kMillisecond);
  };
  const auto play = [&](Endpoint& me, duet_connection* connection, bool first) {
    for (int round = 0; round < kRounds; ++round) {
      const auto ping = pattern(bytes_of(round), round);
      std::vector<unsigned char> got(ping.size());
      const auto exchange = [&](bool send) {
        const auto id = send ? me.send(connection, ping.data(), ping.size(), in(kPatience))
                             : me.receive(connection, got.data(), got.size(), in(kPatience));
        const std::uint64_t give_up = in(kPatience);
        while (!me.ended(id) && now_ns() < give_up)
          me.poll(kSecond);
        return me.status(id) == DUET_OK;
      };
      if (!exchange(first) || !exchange(!first) || got != ping) {
        ADD_FAILURE() << "round " << round;
        break;
      }
    }
    linger(me);
  };
  duet_connection* const mine = a->connect(*b, 1);
  std::thread other([&] { play(*b, b->accept(1), false); });
  play(*a, mine, true);
  other.join();
}

TEST_P(Threads, EveryPairOfFiveExchangesBothWaysAtOnce) {
  holds_to({"CTX-1", "CONN-3"});
  constexpr int kWorkers = 5;
  constexpr int kMessages = kRoom;
  constexpr std::size_t kBytes = 20'000;
  std::vector<std::unique_ptr<Endpoint>> endpoints;
  std::vector<std::string> addresses;
  for (int i = 0; i < kWorkers; ++i) {
    endpoints.push_back(endpoint());
    addresses.push_back(endpoints.back()->address());
  }
  // A context belongs to its thread, so that all tickets are made before there are threads.
  std::map<std::uint64_t, std::string> tickets;
  const auto session_of = [](int one, int other) {
    return static_cast<std::uint64_t>(1000 + 100 * std::min(one, other) + std::max(one, other));
  };
  for (int one = 0; one < kWorkers; ++one) {
    for (int other = one + 1; other < kWorkers; ++other)
      tickets[session_of(one, other)] = endpoints[other]->ticket(session_of(one, other));
  }
  std::atomic<int> left{kWorkers};
  const auto work = [&](int me) {
    Endpoint& mine = *endpoints[me];
    std::vector<std::vector<unsigned char>> out, back;
    std::vector<std::uint64_t> seeds;
    out.reserve(kWorkers * kMessages);
    back.reserve(kWorkers * kMessages);
    for (int peer = 0; peer < kWorkers; ++peer) {
      if (peer == me) continue;
      const std::uint64_t session = session_of(me, peer);
      duet_connection* const connection =
          me < peer ? mine.connect_to(addresses[peer], tickets.at(session), session) : mine.accept(session);
      for (int k = 0; k < kMessages; ++k) {
        out.push_back(pattern(kBytes, 10'000 * me + 100 * peer + k));
        back.emplace_back(kBytes);
        seeds.push_back(10'000 * peer + 100 * me + k);
        mine.send(connection, out.back().data(), kBytes, in(kPatience));
        mine.receive(connection, back.back().data(), kBytes, in(kPatience));
      }
    }
    const std::uint64_t give_up = in(kPatience);
    while (mine.in_flight() > 0 && now_ns() < give_up)
      mine.poll(100 * kMillisecond);
    EXPECT_EQ(mine.in_flight(), 0u);
    for (std::size_t i = 0; i < back.size(); ++i)
      EXPECT_EQ(back[i], pattern(kBytes, seeds[i]));
    --left;
    while (left > 0 && now_ns() < give_up)
      mine.poll(kMillisecond);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kWorkers; ++i)
    threads.emplace_back(work, i);
  for (std::thread& thread : threads)
    thread.join();
}

TEST_P(Threads, PeersThatCloseAtAnyMomentLeaveNothingUnended) {
  holds_to({"OP-1", "END-2", "CTX-2"});
  // Nobody agrees with anybody when to stop: connections and contexts go while the peer posts, polls and
  // cancels.
  const auto steady = endpoint();
  const std::string address = steady->address();
  std::atomic<std::uint64_t> announced{0};
  std::atomic<bool> over{false};
  constexpr std::uint64_t kSessions = 40;
  std::vector<std::string> tickets(kSessions + 1);
  for (std::uint64_t session = 1; session <= kSessions; ++session)
    tickets[session] = steady->ticket(session);
  std::thread restless([&] {
    std::minstd_rand random(1);
    std::vector<unsigned char> buffer(50'000);
    for (std::uint64_t session = 1; session <= kSessions; ++session) {
      const auto owned = endpoint();
      Endpoint& mine = *owned;
      duet_connection* const connection = mine.connect_to(address, tickets[session], session, in(kSecond));
      announced = session;
      std::vector<std::uint64_t> ids;
      for (int i = 0; i < 4; ++i) {
        const bool send = random() % 2 == 0;
        duet_error error{};
        if (mine.try_post(send, connection, buffer.data(), buffer.size(), in(300 * kMillisecond), &error) ==
            DUET_OK) {
          ids.push_back(mine.last_id());
        }
        mine.poll(random() % (2 * kMillisecond));
        if (random() % 4 == 0 && !ids.empty() && !mine.ended(ids.back()))
          table_.cancel(connection, ids.back());
      }
      if (random() % 2 == 0) {
        mine.close(connection);
        const std::uint64_t give_up = in(kPatience);
        while (mine.in_flight() > 0 && now_ns() < give_up)
          mine.poll(kMillisecond);
        EXPECT_EQ(mine.in_flight(), 0u);
      }
    }
    over = true;
  });
  // One buffer for each receive: a connection's end must not let two write to the same memory.
  std::vector<std::vector<unsigned char>> buffers;
  buffers.reserve(4 * kSessions);
  std::vector<duet_connection*> open;
  for (std::uint64_t session = 1; session <= kSessions && !over;) {
    if (announced < session) {
      steady->poll(kMillisecond / 10);
      continue;
    }
    duet_connection* const connection = steady->accept(session, in(300 * kMillisecond));
    open.push_back(connection);
    for (int i = 0; i < 4; ++i) {
      buffers.emplace_back(50'000);
      steady->try_post(i % 2 == 0, connection, buffers.back().data(), 50'000, in(300 * kMillisecond));
    }
    steady->poll(0);
    if (session % 3 == 0) {
      steady->close(open.back());
      open.pop_back();
    }
    ++session;
  }
  const std::uint64_t give_up = in(kPatience);
  while ((steady->in_flight() > 0 || !over) && now_ns() < give_up)
    steady->poll(kMillisecond);
  restless.join();
  EXPECT_EQ(steady->in_flight(), 0u) << "every operation has a deadline";
  for (duet_connection* connection : open)
    steady->close(connection);
}

TEST_P(Threads, ContextsOpenAndCloseInManyThreadsAtOnce) {
  holds_to({"CTX-1", "CTX-2"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k) {
        const auto a = endpoint(), b = endpoint();
        const std::uint64_t session = 1000 * i + k;
        duet_connection* const ab = a->connect(*b, session);
        duet_connection* const ba = b->accept(session);
        std::uint64_t back = 0;
        a->send(ab, &session, sizeof(session), in(kPatience));
        b->receive(ba, &back, sizeof(back), in(kPatience));
        EXPECT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
        EXPECT_EQ(back, session);
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
}

DUET_CONTRACT_SUITE(Threads);

}  // namespace
}  // namespace duet::contract
