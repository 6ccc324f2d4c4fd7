/// Two endpoints of one process: order, settings and errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "integration/libfabric/plugin_driver.h"

namespace duet::driver {
namespace {

using testing::HasSubstr;

TEST(Libfabric, TheRequestMayComeBeforeOrAfterItsAccept) {
  Endpoint a;
  Endpoint b;
  duet_connection* waiting = b.accept(2, in_ms(5000));
  duet_connection* early = a.connect(b.address(), 1, in_ms(5000));
  poll_both(
      a, b, [] { return false; }, 50);
  EXPECT_EQ(state_of(early), DUET_CONNECTION_PENDING);
  duet_connection* late_accept = b.accept(1, in_ms(5000));
  EXPECT_TRUE(poll_both(
      a, b, [&] { return both_ready(early, late_accept); }, 1000));
  duet_connection* late = a.connect(b.address(), 2, in_ms(5000));
  EXPECT_TRUE(poll_both(
      a, b, [&] { return both_ready(late, waiting); }, 1000));
}

TEST(Libfabric, OperationsPostedWhilePendingKeepTheirOrder) {
  Endpoint a;
  Endpoint b;
  duet_connection* from_a = a.connect(b.address(), 9, in_ms(5000));
  constexpr std::uint64_t kCount = 600;
  std::vector<std::uint64_t> sent(kCount);
  std::iota(sent.begin(), sent.end(), 1000);
  std::vector<std::uint64_t> received(kCount, 0);
  for (std::uint64_t index = 0; index < kCount; ++index) {
    ASSERT_EQ(a.send(from_a, &sent[index], sizeof(std::uint64_t), index), DUET_OK);
  }
  duet_connection* from_b = b.accept(9, in_ms(5000));
  for (std::uint64_t index = 0; index < kCount; ++index) {
    ASSERT_EQ(b.receive(from_b, &received[index], sizeof(std::uint64_t), index), DUET_OK);
  }
  ASSERT_TRUE(poll_both(
      a, b, [&] { return a.finished().size() == kCount && b.finished().size() == kCount; }, 5000));
  EXPECT_EQ(received, sent);
}

TEST(Libfabric, TooManyQueuedOperationsAreRefusedForNow) {
  Endpoint a;
  duet_connection* connection = a.accept(1);
  std::uint64_t accepted = 0;
  char byte = 0;
  while (accepted < 100'000 && a.receive(connection, &byte, 1, accepted) == DUET_OK) {
    ++accepted;
  }
  EXPECT_EQ(a.receive(connection, &byte, 1, accepted), DUET_AGAIN);
  plugin().close_connection(connection);
  EXPECT_TRUE(a.poll_until_finished(accepted, 1000));
}

TEST(Libfabric, EmptyShortAndLongMessages) {
  Pair pair;
  std::vector<char> data(100, 'x');
  std::vector<char> room(200, ' ');
  ASSERT_EQ(pair.b.receive(pair.from_b, nullptr, 0, 1), DUET_OK);
  ASSERT_EQ(pair.b.receive(pair.from_b, room.data(), room.size(), 2), DUET_OK);
  ASSERT_EQ(pair.b.receive(pair.from_b, room.data(), 50, 3), DUET_OK);
  ASSERT_EQ(pair.a.send(pair.from_a, nullptr, 0, 1), DUET_OK);
  ASSERT_EQ(pair.a.send(pair.from_a, data.data(), data.size(), 2), DUET_OK);
  ASSERT_EQ(pair.a.send(pair.from_a, data.data(), data.size(), 3), DUET_OK);
  ASSERT_TRUE(poll_both(
      pair.a, pair.b, [&] { return pair.b.finished().size() == 3; }, 2000));
  EXPECT_EQ(pair.b.status_of(1), DUET_OK);
  EXPECT_EQ(pair.b.finished().at(1).bytes, 0u);
  EXPECT_EQ(pair.b.status_of(2), DUET_OK);
  EXPECT_EQ(pair.b.finished().at(2).bytes, data.size());
  EXPECT_EQ(pair.b.status_of(3), DUET_MISUSE);
  EXPECT_THAT(error_of(pair.from_b).text, HasSubstr("shorter than its message"));
}

TEST(Libfabric, AClosedConnectionLetsGoOfItsBuffers) {
  Pair pair;
  constexpr std::size_t kBytes = 4 << 20;
  std::vector<char> outgoing(kBytes, 'x');
  std::vector<char> incoming(kBytes, ' ');
  ASSERT_EQ(pair.b.receive(pair.from_b, incoming.data(), kBytes, 1), DUET_OK);
  ASSERT_EQ(pair.b.receive(pair.from_b, incoming.data(), kBytes, 2), DUET_OK);
  ASSERT_EQ(pair.b.send(pair.from_b, outgoing.data(), kBytes, 3), DUET_OK);
  ASSERT_EQ(pair.a.send(pair.from_a, outgoing.data(), kBytes, 1), DUET_OK);
  pair.a.poll(0);
  pair.b.poll(0);  // the first message is half in
  plugin().close_connection(pair.from_b);
  ASSERT_TRUE(pair.b.poll_until_finished(3, 1000));
  for (const std::uint64_t operation : {1u, 2u, 3u}) {
    EXPECT_EQ(pair.b.status_of(operation), DUET_CANCELLED) << operation;
  }
  std::fill(incoming.begin(), incoming.end(), '#');
  EXPECT_TRUE(poll_both(
      pair.a, pair.b, [&] { return pair.a.finished().size() == 1; }, 2000));
  EXPECT_EQ(pair.a.status_of(1), DUET_PEER_LOST) << error_of(pair.from_a).text;
  poll_both(
      pair.a, pair.b, [] { return false; }, 50);
  EXPECT_EQ(incoming, std::vector<char>(kBytes, '#'));
}

TEST(Libfabric, ACancelledReceiveComesBackAndASendDoesNot) {
  Pair pair;
  char room = 0;
  std::vector<char> outgoing(16 << 20);
  ASSERT_EQ(pair.b.receive(pair.from_b, &room, 1, 1), DUET_OK);
  EXPECT_EQ(plugin().cancel(pair.from_b, 1), DUET_OK);
  ASSERT_TRUE(pair.b.poll_until_finished(1, 1000));
  EXPECT_EQ(pair.b.status_of(1), DUET_CANCELLED);
  EXPECT_EQ(plugin().cancel(pair.from_b, 99), DUET_MISUSE);
  ASSERT_EQ(pair.a.send(pair.from_a, outgoing.data(), outgoing.size(), 2), DUET_OK);
  EXPECT_EQ(plugin().cancel(pair.from_a, 2), DUET_AGAIN);
  plugin().close_connection(pair.from_a);
  ASSERT_TRUE(pair.a.poll_until_finished(1, 1000));
  EXPECT_EQ(pair.a.status_of(2), DUET_CANCELLED);
}

TEST(Libfabric, APeerThatGaveUpIsNoticedByALateAccept) {
  for (std::uint64_t session = 1; session <= 20; ++session) {
    Endpoint a;
    Endpoint b;
    duet_connection* gone = a.connect(b.address(), session, in_ms(5000));
    std::vector<char> data(1000);
    a.send(gone, data.data(), data.size(), 1);
    poll_both(
        a, b, [] { return false; }, 5);
    plugin().close_connection(gone);
    duet_connection* late = b.accept(session, in_ms(1000));
    ASSERT_TRUE(poll_both(
        a, b, [&] { return state_of(late) == DUET_CONNECTION_FAILED; }, 2000));
    EXPECT_EQ(error_of(late).status, DUET_PEER_LOST) << error_of(late).text;
    plugin().close_connection(late);
  }
}

duet_probe_result probe(const std::vector<duet_setting>& settings, duet_status expected = DUET_OK) {
  duet_probe_result result{};
  result.struct_size = sizeof result;
  EXPECT_EQ(plugin().probe(settings.data(), static_cast<std::uint32_t>(settings.size()), &result), expected);
  return result;
}

TEST(Libfabric, ProbeExplainsItself) {
  const duet_probe_result standard = probe({{"provider", "tcp"}});
  EXPECT_EQ(standard.viable, 1);
  EXPECT_STREQ(standard.reason, "tcp over lo (127.0.0.1)");
  EXPECT_EQ(standard.capabilities, static_cast<std::uint64_t>(DUET_CAPABILITY_HOST_MEMORY));
  EXPECT_EQ(standard.largest_message, 0u);

  // What is known of each provider that this libfabric may have; one that is not there says so.
  const std::vector<std::pair<const char*, const char*>> refused = {
      {"shm", "connectionless endpoints"},         {"tcp;ofi_rxm", "connectionless endpoints"},
      {"udp;ofi_rxd", "connectionless endpoints"}, {"udp", "datagrams"},
      {"sockets", "descriptor to sleep on"},
  };
  for (const auto& [provider, why] : refused) {
    const duet_probe_result result = probe({{"provider", provider}});
    EXPECT_EQ(result.viable, 0) << provider;
    EXPECT_THAT(result.reason, testing::AnyOf(HasSubstr(why), HasSubstr("no such provider"))) << provider;
    EXPECT_THAT(result.reason, HasSubstr(provider));
    EXPECT_NE(result.capabilities & DUET_CAPABILITY_EXPERIMENTAL, 0u);
  }
  const duet_probe_result net = probe({{"provider", "net"}});
  EXPECT_THAT(net.reason,
              testing::AnyOf(HasSubstr("experimental: never sleeps"), HasSubstr("no such provider")));

  const duet_probe_result missing = probe({{"provider", "carrier_pigeon"}});
  EXPECT_EQ(missing.viable, 0);
  EXPECT_THAT(missing.reason, HasSubstr("no such provider"));
  EXPECT_THAT(missing.reason, HasSubstr("tcp"));
}

TEST(Libfabric, SettingsThatCannotBeAreNamed) {
  const auto refused = [](const char* key, const char* value) {
    return std::string(probe({{key, value}}, DUET_MISUSE).reason);
  };
  EXPECT_THAT(refused("speed", "high"), HasSubstr("speed"));
  EXPECT_THAT(refused("interface", "eth77"), HasSubstr("lo (127.0.0.1)"));
  EXPECT_THAT(refused("interface", "0.0.0.0"), HasSubstr("wildcard"));
  for (const char* range : {"", "x", "1-", "-5", "0-9", "2000-1000", "1-70000", "1-2-3"}) {
    EXPECT_THAT(refused("port_range", range), HasSubstr("port_range")) << range;
  }
  const std::vector<std::pair<const char*, const char*>> shm = {{"provider", "shm"}};
  EXPECT_THROW(Endpoint{shm}, std::runtime_error);
}

TEST(Libfabric, ListensWhereItIsTold) {
  const std::vector<std::pair<const char*, const char*>> settings = {
      {"port_range", "29711-29712"}, {"interface", "127.0.0.1"}, {"provider", "tcp"}};
  Endpoint first(settings);
  Endpoint second(settings);
  EXPECT_THAT(first.address() + second.address(), HasSubstr("127.0.0.1:29711"));
  EXPECT_THAT(first.address() + second.address(), HasSubstr("127.0.0.1:29712"));
  try {
    Endpoint third(settings);
    FAIL() << "there is no third port";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("29711 to 29712"));
    EXPECT_THAT(error.what(), HasSubstr("Address already in use"));
  }
}

TEST(Libfabric, BadAddressesAreRefusedWithAReason) {
  Endpoint a;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not an address"},
      {"\x01\x02junk", "not an address"},
      {"duet-libfabric:tcp", "no provider"},
      {"duet-libfabric:tcp://", "no provider, or no port"},
      {"duet-libfabric:tcp://127.0.0.1", "no provider, or no port"},
      {"duet-libfabric:tcp://127.0.0.1:0", "no IPv4"},
      {"duet-libfabric:tcp://127.0.0.1:99999", "no IPv4"},
      {"duet-libfabric:tcp://localhost:99", "no IPv4"},
      {"duet-libfabric:verbs://127.0.0.1:99", "peer uses provider verbs"},
      {"duet-libfabric:tcp://127.0.0.1:99", "does not say which machine"},
  };
  for (const auto& [address, reason] : cases) {
    duet_connect_request request{};
    request.struct_size = sizeof request;
    request.address = address.data();
    request.address_bytes = address.size();
    duet_connection* connection = nullptr;
    duet_error error{};
    EXPECT_EQ(plugin().connect(a.get(), &request, &connection, &error), DUET_MISUSE) << address;
    EXPECT_EQ(connection, nullptr);
    EXPECT_THAT(error.text, HasSubstr(reason));
  }
  EXPECT_EQ(plugin().get_address(a.get(), nullptr, std::vector<std::uint64_t>{3}.data()), DUET_MISUSE);
}

TEST(Libfabric, AnotherMachinesLoopbackIsNotThisOnes) {
  Endpoint a;
  const auto refusal = [&](const std::string& address) {
    duet_connect_request request{};
    request.struct_size = sizeof request;
    request.peer = "rank 3";
    request.address = address.data();
    request.address_bytes = address.size();
    duet_connection* connection = nullptr;
    duet_error error{};
    EXPECT_EQ(plugin().connect(a.get(), &request, &connection, &error), DUET_PEER_LOST) << address;
    EXPECT_EQ(connection, nullptr);
    return std::string(error.text);
  };
  const std::string there =
      refusal("duet-libfabric:tcp://127.0.0.1:4567 0123456789abcdef eth0 (10.0.0.7), ib0 (10.1.0.7)");
  EXPECT_THAT(there, testing::StartsWith("rank 3: "));
  EXPECT_THAT(there, HasSubstr("127.0.0.1:4567 is loopback, on another machine"));
  EXPECT_THAT(there, HasSubstr("it has eth0 (10.0.0.7), ib0 (10.1.0.7)"));
  const std::string here = refusal("duet-libfabric:tcp://10.0.0.7:4567 0123456789abcdef");
  EXPECT_THAT(here, HasSubstr("10.0.0.7:4567 is on another machine"));
  EXPECT_THAT(here, HasSubstr("on loopback"));
  EXPECT_LE(a.address().size(), 512u);
}

TEST(Libfabric, MisuseOfAPostIsRefused) {
  Pair pair;
  duet_memory memory{};
  memory.bytes = 10;
  duet_error error{};
  EXPECT_EQ(plugin().post_send(pair.from_a, &memory, 1, 0, &error), DUET_MISUSE);
  memory.kind = DUET_MEMORY_CUDA;
  EXPECT_EQ(plugin().post_send(pair.from_a, &memory, 1, 0, &error), DUET_NOT_SUPPORTED);
  EXPECT_THAT(error.text, HasSubstr("rank 3 (127.0.0.1:"));
  duet_connect_request request{};
  request.struct_size = sizeof request;
  request.session = 5;
  duet_connection* connection = nullptr;
  EXPECT_EQ(plugin().accept(pair.a.get(), &request, &connection, &error), DUET_OK);
  EXPECT_EQ(plugin().accept(pair.a.get(), &request, &connection, &error), DUET_MISUSE);
  EXPECT_THAT(error.text, HasSubstr("session 5"));
}

}  // namespace
}  // namespace duet::driver
