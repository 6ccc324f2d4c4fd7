/// Connections, tickets, communicators within bounds, memory: the plugin when all goes well, and when the
/// host or a stranger does not.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nccl_fixture.h"

namespace duet::nccl {
namespace {

using ::testing::HasSubstr;

/// Two contexts on one GPU, which send to themselves, or on two.
class Pairs : public NcclFixture, public ::testing::WithParamInterface<bool> {};

TEST_P(Pairs, ExchangeBothWaysOnOneCommunicator) {
  auto two = pair(GetParam());
  join(two, 1);
  for (int round = 0; round < 20; ++round)
    ASSERT_TRUE(exchange(two, two.ab, two.ba, 10'000));
  EXPECT_EQ(fake_nccl_count("opened"), GetParam() ? 1 : 2) << "one, or the two ends of one";
}

TEST_P(Pairs, TakeTheirTimeToEnqueueOpenAndRun) {
  fake_nccl_set("init", "slow");
  fake_nccl_set("enqueue", "slow");
  fake_nccl_set("group", "slow");
  auto two = pair(GetParam());
  join(two, 1);
  for (int round = 0; round < 3; ++round)
    ASSERT_TRUE(exchange(two, two.ab, two.ba));
}

TEST_P(Pairs, MoveOneWayWithoutTheOther) {
  auto two = pair(GetParam());
  join(two, 1);
  const auto out = contract::pattern(5000, 1);
  std::vector<std::vector<unsigned char>> back(200, std::vector<unsigned char>(out.size()));
  two.a->receive(two.ab, back.back().data(), 5000);  // never served
  for (std::size_t i = 0; i + 1 < back.size(); ++i) {
    two.a->send(two.ab, out.data(), out.size(), in(kPatience));
    two.b->receive(two.ba, back[i].data(), out.size(), in(kPatience));
  }
  ASSERT_TRUE(two.turn([&] { return two.a->in_flight() == 1 && two.b->in_flight() == 0; }));
  for (std::size_t i = 0; i + 1 < back.size(); ++i)
    ASSERT_EQ(back[i], out);
}

TEST_P(Pairs, WaitForTheStreamThatMakesMemoryValid) {
  auto two = pair(GetParam());
  join(two, 1);
  fake_nccl_hold(nullptr);  // the default stream, which the suite's memory names
  const auto out = contract::pattern(100, 1);
  std::vector<unsigned char> back(100);
  const auto received = two.b->receive(two.ba, back.data(), 100, in(kPatience));
  const auto sent = two.a->send(two.ab, out.data(), 100, in(kPatience));
  EXPECT_FALSE(two.turn([&] { return two.a->ended(sent) || two.b->ended(received); }, 50 * kMillisecond));
  EXPECT_EQ(fake_nccl_count("groups"), 0) << "nothing occupies the device meanwhile";
  fake_nccl_let_go(nullptr);
  ASSERT_TRUE(two.turn([&] { return two.a->ended(sent) && two.b->ended(received); }));
  EXPECT_EQ(back, out);
}

INSTANTIATE_TEST_SUITE_P(Devices, Pairs, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "OneGpu" : "TwoGpus"; });

class Tickets : public NcclFixture {
 protected:
  duet_status open(Endpoint& end, bool accept, const std::string& address, std::uint64_t session,
                   const std::string& ticket, duet_connection** connection, std::string* why,
                   std::uint64_t deadline = 0) {
    duet_connect_request request{};
    request.struct_size = sizeof request;
    request.session = session;
    request.address = accept ? nullptr : address.data();
    request.address_bytes = accept ? 0 : address.size();
    request.deadline_ns = deadline == 0 ? in(kPatience) : deadline;
    request.peer = "rank 5";
    request.ticket = ticket.empty() ? nullptr : ticket.data();
    request.ticket_bytes = ticket.size();
    duet_error error{};
    const duet_status status =
        (accept ? table().accept : table().connect)(end.get(), &request, connection, &error);
    *why = error.text;
    return status;
  }
};

TEST_F(Tickets, ThatAreLostGarbledOrOfAnotherSessionAreRefusedOnBothSides) {
  auto two = pair(false);
  const std::string good = Endpoint::ticket_for(two.b->address(), 7);
  const std::string other = Endpoint::ticket_for(two.b->address(), 8);
  std::string garbled = good;
  garbled[100] = static_cast<char>(garbled[100] ^ 1);
  for (const auto& [ticket, reason] :
       {std::pair{std::string(), "no ticket"}, std::pair{garbled, "damaged"}, std::pair{other, "session 8"},
        std::pair{good.substr(0, 50), "none of this transport's"}}) {
    for (const bool accept : {true, false}) {
      duet_connection* connection = nullptr;
      std::string why;
      EXPECT_EQ(open(accept ? *two.b : *two.a, accept, two.b->address(), 7, ticket, &connection, &why),
                DUET_MISUSE);
      EXPECT_THAT(why, HasSubstr("rank 5"));
      EXPECT_THAT(why, HasSubstr(reason));
      EXPECT_EQ(connection, nullptr);
    }
  }
  // The session itself is none the worse for it.
  join(two, 7);
  EXPECT_TRUE(exchange(two, two.ab, two.ba));
}

TEST_F(Tickets, OfAHostThatKnowsNoneAreMissing) {
  auto two = pair(false);
  const std::string good = Endpoint::ticket_for(two.b->address(), 7);
  duet_connect_request request{};
  request.struct_size = offsetof(duet_connect_request, ticket);  // as an older header has it
  request.session = 7;
  request.peer = "rank 5";
  request.ticket = good.data();
  request.ticket_bytes = good.size();
  duet_connection* connection = nullptr;
  duet_error error{};
  EXPECT_EQ(table().accept(two.b->get(), &request, &connection, &error), DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), HasSubstr("no ticket"));
}

TEST_F(Tickets, OfAnotherContextDoNotAccept) {
  auto two = pair(false);
  const std::string theirs = Endpoint::ticket_for(two.a->address(), 7);
  duet_connection* connection = nullptr;
  std::string why;
  EXPECT_EQ(open(*two.b, true, {}, 7, theirs, &connection, &why), DUET_MISUSE);
  EXPECT_THAT(why, HasSubstr("not made here"));
}

TEST_F(Tickets, AreForOneConnection) {
  auto two = pair(false);
  join(two, 7);
  duet_connection* connection = nullptr;
  std::string why;
  const std::string ticket = Endpoint::ticket_for(two.b->address(), 7);
  EXPECT_EQ(open(*two.b, true, {}, 7, ticket, &connection, &why), DUET_MISUSE);
  // A second one who connects with it, late or not, is turned away.
  const auto c = endpoint(2);
  ASSERT_EQ(open(*c, false, two.b->address(), 7, ticket, &connection, &why), DUET_OK);
  ASSERT_TRUE(contract::turn({c.get(), two.a.get(), two.b.get()},
                             [&] { return c->state(connection) == DUET_CONNECTION_FAILED; }));
  EXPECT_TRUE(exchange(two, two.ab, two.ba));
}

TEST_F(Tickets, ThatComeTooLateFindNobody) {
  auto two = pair(false);
  const std::string ticket = Endpoint::ticket_for(two.b->address(), 7);
  duet_connection *ab = nullptr, *ba = nullptr;
  std::string why;
  ASSERT_EQ(open(*two.b, true, {}, 7, ticket, &ba, &why, in(50 * kMillisecond)), DUET_OK);
  ASSERT_TRUE(two.turn([&] { return two.b->state(ba) == DUET_CONNECTION_FAILED; }));
  EXPECT_THAT(error_of(*two.b, ba), HasSubstr("nobody connected"));
  ASSERT_EQ(open(*two.a, false, two.b->address(), 7, ticket, &ab, &why, in(kPatience)), DUET_OK);
  ASSERT_TRUE(two.turn([&] { return two.a->state(ab) == DUET_CONNECTION_FAILED; }));
  EXPECT_EQ(fake_nccl_count("opened"), 0) << "neither opened a communicator, which would wait for the other";
}

TEST_F(Tickets, ThatCameToNothingCostNoIds) {
  auto two = pair(false);
  const auto before = fake_nccl_count("unique_ids");
  for (std::uint64_t session = 1; session <= 300; ++session)
    Endpoint::ticket_for(two.b->address(), session);
  EXPECT_LE(fake_nccl_count("unique_ids") - before, 64);
  for (std::uint64_t session = 1000; session < 1100; ++session) {
    duet_connection* const connection = two.b->accept(session);
    two.b->close(connection);
  }
  EXPECT_LE(fake_nccl_count("unique_ids") - before, 65);
  join(two, 2000);
  EXPECT_TRUE(exchange(two, two.ab, two.ba));
}

class Addresses : public NcclFixture {};

std::string replaced(std::string text, const std::string& key, const std::string& value) {
  const std::size_t at = text.find(key) + key.size();
  return text.replace(at, value.size(), value);
}

TEST_F(Addresses, OfTheSameGpuInAnotherProcessAreRefused) {
  auto two = pair(true);
  const std::string ticket = Endpoint::ticket_for(two.b->address(), 1);
  const std::string elsewhere = replaced(two.b->address(), "process=", "00112233");
  Endpoint::know_tickets(elsewhere, {{1, ticket}});
  try {
    two.a->connect(elsewhere, 1);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("same GPU"));
    EXPECT_THAT(error.what(), HasSubstr("CUDA_VISIBLE_DEVICES"));
    EXPECT_THAT(error.what(), HasSubstr("rank 7"));
  }
}

TEST_F(Addresses, OfAnotherHostsLoopbackAreRefused) {
  auto two = pair(false);
  const std::string ticket = Endpoint::ticket_for(two.b->address(), 1);
  const std::string elsewhere = replaced(two.b->address(), "host=", "00112233");
  Endpoint::know_tickets(elsewhere, {{1, ticket}});
  try {
    two.a->connect(elsewhere, 1);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("interface"));
  }
}

TEST_F(Addresses, StrangersAtTheDoorAreTurnedAway) {
  auto two = pair(false);
  const std::string address = two.b->address();
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  std::vector<int> strangers;
  for (int i = 0; i < 300; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const std::string noise(i % 3 == 0 ? 0 : 200, static_cast<char>(i));
    [[maybe_unused]] const auto n = ::send(fd, noise.data(), noise.size(), MSG_NOSIGNAL);
    strangers.push_back(fd);
    if (i % 20 == 0) two.b->poll(0);
  }
  join(two, 1);
  EXPECT_TRUE(exchange(two, two.ab, two.ba));
  for (const int fd : strangers)
    ::close(fd);
}

class Memory : public NcclFixture {};

TEST_F(Memory, OfAnotherKindOrDeviceIsRefused) {
  auto two = pair(false);
  join(two, 1);
  int host = 0;
  duet_memory memory{&host, sizeof host, DUET_MEMORY_HOST, 0, nullptr, nullptr};
  duet_error error{};
  EXPECT_EQ(table().post_send(two.ab, &memory, 99, 0, &error), DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), HasSubstr("CUDA memory"));
  memory.kind = DUET_MEMORY_CUDA;
  memory.device = 1;
  EXPECT_EQ(table().post_receive(two.ab, &memory, 99, 0, &error), DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), HasSubstr("device 1"));
  memory.device = 0;
  memory.bytes = (1ull << 32) + 1;
  EXPECT_EQ(table().post_send(two.ab, &memory, 99, 0, &error), DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), HasSubstr("more than a message"));
  EXPECT_TRUE(exchange(two, two.ab, two.ba)) << "what was refused has changed nothing";
}

class Bounds : public NcclFixture {
 protected:
  struct Spoke {
    std::unique_ptr<Endpoint> end;
    duet_connection *out = nullptr, *back = nullptr;
  };
  /// A hub, and who is connected to it, each on a GPU of its own.
  void connect(std::uint64_t session) {
    Spoke spoke{endpoint(static_cast<int>(spokes_.size()) + 1)};
    spoke.out = hub_->connect(spoke.end->address(), session);
    spoke.back = spoke.end->accept(session);
    spokes_.push_back(std::move(spoke));
    ASSERT_TRUE(turn([&] {
      return hub_->state(spokes_.back().out) == DUET_CONNECTION_READY &&
             spokes_.back().end->state(spokes_.back().back) == DUET_CONNECTION_READY;
    }));
  }
  bool turn(const std::function<bool()>& done, std::uint64_t limit = kPatience) {
    std::vector<Endpoint*> all{hub_.get()};
    for (const Spoke& spoke : spokes_)
      all.push_back(spoke.end.get());
    return contract::turn(all, done, limit);
  }
  bool use(std::size_t spoke) {
    int out = 42, back = 0;
    hub_->send(spokes_[spoke].out, &out, sizeof out, in(kPatience));
    spokes_[spoke].end->receive(spokes_[spoke].back, &back, sizeof back, in(kPatience));
    return turn([&] { return hub_->in_flight() + spokes_[spoke].end->in_flight() == 0; }) && back == 42;
  }
  void TearDown() override {
    spokes_.clear();
    hub_.reset();
    NcclFixture::TearDown();
  }
  std::unique_ptr<Endpoint> hub_ = endpoint(0, {{"communicators", "2"}});
  std::vector<Spoke> spokes_;
};

TEST_F(Bounds, TheLeastRecentlyUsedIdleCommunicatorGivesWay) {
  for (std::uint64_t session = 1; session <= 2; ++session) {
    connect(session);
    ASSERT_TRUE(use(session - 1));
  }
  ASSERT_TRUE(use(0));  // now the second is the oldest
  connect(3);
  duet_status status = DUET_OK;
  EXPECT_EQ(hub_->state(spokes_[1].out), DUET_CONNECTION_FAILED);
  EXPECT_THAT(error_of(*hub_, spokes_[1].out, &status), HasSubstr("communicators = 2"));
  EXPECT_EQ(status, DUET_PEER_LOST);
  ASSERT_TRUE(turn([&] { return spokes_[1].end->state(spokes_[1].back) == DUET_CONNECTION_FAILED; }));
  EXPECT_TRUE(use(0));
  EXPECT_TRUE(use(2));
  EXPECT_TRUE(eventually([] { return fake_nccl_count("communicators") == 4; })) << "two, seen from both ends";
}

TEST_F(Bounds, BusyOnesStayAndTheCapGivesInstead) {
  for (std::uint64_t session = 1; session <= 2; ++session) {
    connect(session);
    ASSERT_TRUE(use(session - 1));
  }
  int waits = 0, also_waits = 0;
  hub_->receive(spokes_[0].out, &waits, sizeof waits, in(kPatience));                  // posted here
  spokes_[1].end->receive(spokes_[1].back, &also_waits, sizeof waits, in(kPatience));  // and over there
  turn([] { return false; }, 20 * kMillisecond);
  connect(3);
  EXPECT_EQ(hub_->state(spokes_[0].out), DUET_CONNECTION_READY);
  EXPECT_EQ(hub_->state(spokes_[1].out), DUET_CONNECTION_READY);
  const int out = 7;
  spokes_[0].end->send(spokes_[0].back, &out, sizeof out, in(kPatience));
  hub_->send(spokes_[1].out, &out, sizeof out, in(kPatience));
  ASSERT_TRUE(turn([&] { return hub_->in_flight() + spokes_[1].end->in_flight() == 0; }));
  EXPECT_EQ(waits, 7);
  EXPECT_EQ(also_waits, 7);
}

TEST_F(Bounds, AConnectionThatGaveWayComesBackUnderANewSession) {
  for (std::uint64_t session = 1; session <= 6; ++session) {
    connect(session);
    ASSERT_TRUE(use(session - 1));
  }
  hub_->close(spokes_[0].out);
  spokes_[0].end->close(spokes_[0].back);
  spokes_[0].out = hub_->connect(spokes_[0].end->address(), 100);
  spokes_[0].back = spokes_[0].end->accept(100);
  EXPECT_TRUE(use(0));
}

}  // namespace
}  // namespace duet::nccl
