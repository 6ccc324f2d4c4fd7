#include "control/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <ctime>
#include <memory>
#include <thread>

namespace duet::control {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The next message within `seconds`; an empty text when none came.
Channel::Received next(Channel& channel, double seconds = 5.0) {
  const Clock::time_point start = Clock::now();
  Channel::Received message;
  while (!channel.receive(message)) {
    const double left = seconds - seconds_since(start);
    if (left <= 0) return {};
    channel.wait(left);
  }
  return message;
}

std::string refusal(const ChannelOptions& options) {
  try {
    const Channel channel(options);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "";
}

int port_of(const Channel& channel) {
  return std::stoi(channel.address().substr(channel.address().rfind(':') + 1));
}

TEST(Channel, ListensOnAFreePortOfLoopbackByDefault) {
  const Channel a(ChannelOptions{}), b(ChannelOptions{});
  EXPECT_THAT(a.address(), MatchesRegex("tcp://127\\.0\\.0\\.1:[0-9]+"));
  EXPECT_NE(a.address(), b.address());
  EXPECT_GT(port_of(a), 0);
}

TEST(Channel, CarriesMessagesBothWaysInOrder) {
  Channel a(ChannelOptions{}), b(ChannelOptions{});
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(a.send(b.address(), "to b " + std::to_string(i)));
    ASSERT_TRUE(b.send(a.address(), "to a " + std::to_string(i)));
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(next(b).bytes, "to b " + std::to_string(i));
    EXPECT_EQ(next(a).bytes, "to a " + std::to_string(i));
  }
  Channel::Received none;
  EXPECT_FALSE(a.receive(none));
}

TEST(Channel, SignalsInterruptNothing) {
  Channel a(ChannelOptions{}), b(ChannelOptions{});
  struct sigaction ours {
  }, before{};
  ours.sa_handler = [](int) {};
  ours.sa_flags = SA_RESTART;
  ASSERT_EQ(sigaction(SIGALRM, &ours, &before), 0);
  const itimerval often{.it_interval = {.tv_sec = 0, .tv_usec = 100},
                        .it_value = {.tv_sec = 0, .tv_usec = 100}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  const Clock::time_point start = Clock::now();
  int sent = 0;
  EXPECT_NO_THROW(while (seconds_since(start) < 0.5) {
    ASSERT_TRUE(a.send(b.address(), std::to_string(++sent)));
    const auto request = next(b);
    ASSERT_EQ(request.bytes, std::to_string(sent));
    ASSERT_TRUE(b.reply(request.return_route, "yes"));
    ASSERT_EQ(next(a).bytes, "yes");
  });
  EXPECT_GT(sent, 10);
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

TEST(Channel, CarriesAnyBytesAndLargeMessages) {
  Channel a(ChannelOptions{}), b(ChannelOptions{});
  std::string bytes(5u << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(i * 31);
  ASSERT_TRUE(a.send(b.address(), bytes));
  ASSERT_TRUE(a.send(b.address(), ""));
  EXPECT_TRUE(next(b).bytes == bytes);
  const Channel::Received empty = next(b);
  EXPECT_EQ(empty.bytes, "");
  EXPECT_FALSE(empty.return_route.empty());
}

TEST(Channel, AnswersReachWhoeverAsked) {
  Channel server(ChannelOptions{});
  std::vector<std::unique_ptr<Channel>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Channel>(ChannelOptions{}));
    ASSERT_TRUE(clients.back()->send(server.address(), std::to_string(i)));
  }
  for (int i = 0; i < 5; ++i) {
    const Channel::Received question = next(server);
    ASSERT_FALSE(question.return_route.empty());
    for (int k = 0; k < 3; ++k) {
      EXPECT_TRUE(
          server.reply(question.return_route, "answer " + std::to_string(k) + " to " + question.bytes));
    }
  }
  for (int i = 0; i < 5; ++i) {
    for (int k = 0; k < 3; ++k) {
      const Channel::Received answer = next(*clients[static_cast<std::size_t>(i)]);
      EXPECT_EQ(answer.bytes, "answer " + std::to_string(k) + " to " + std::to_string(i));
      EXPECT_TRUE(answer.return_route.empty());
    }
  }
}

TEST(Channel, AnAnswerToNobodyIsDropped) {
  Channel server(ChannelOptions{});
  EXPECT_FALSE(server.reply("", "x"));
  EXPECT_FALSE(server.reply("nobody", "x"));
  std::string route;
  {
    Channel client(ChannelOptions{});
    client.send(server.address(), "here");
    route = next(server).return_route;
  }
  const Clock::time_point start = Clock::now();
  while (server.reply(route, "late") && seconds_since(start) < 5.0)
    server.wait(0.01);
  EXPECT_FALSE(server.reply(route, "late"));
}

TEST(Channel, WhatIsSentBeforeThePeerListensArrivesWhenItDoes) {
  int port = 0;
  {
    const Channel reserve(ChannelOptions{});
    port = port_of(reserve);
  }
  Channel early(ChannelOptions{});
  ASSERT_TRUE(early.send("tcp://127.0.0.1:" + std::to_string(port), "waiting"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Channel late(ChannelOptions{.port = port});
  EXPECT_EQ(next(late).bytes, "waiting");
}

TEST(Channel, AReturningPeerIsFoundAgain) {
  Channel a(ChannelOptions{});
  auto b = std::make_unique<Channel>(ChannelOptions{});
  const std::string address = b->address();
  const int port = port_of(*b);
  a.send(address, "first");
  EXPECT_EQ(next(*b).bytes, "first");
  b.reset();
  b = std::make_unique<Channel>(ChannelOptions{.port = port});
  // What is sent while the loss goes unnoticed may be lost.
  const Clock::time_point start = Clock::now();
  Channel::Received message;
  while (!b->receive(message) && seconds_since(start) < 10.0) {
    a.send(address, "again");
    b->wait(0.05);
  }
  EXPECT_EQ(message.bytes, "again");
}

TEST(Channel, SendingToNobodyNeverBlocksAndEndsInDrops) {
  Channel a(ChannelOptions{});
  int port = 0;
  {
    const Channel reserve(ChannelOptions{});
    port = port_of(reserve);
  }
  const std::string nobody = "tcp://127.0.0.1:" + std::to_string(port);
  const Clock::time_point start = Clock::now();
  int accepted = 0;
  for (int i = 0; i < 5000; ++i)
    accepted += a.send(nobody, "x") ? 1 : 0;
  EXPECT_LT(seconds_since(start), 2.0);
  EXPECT_GE(accepted, 900);
  EXPECT_LT(accepted, 5000);
  a.forget(nobody);
  EXPECT_TRUE(a.send(nobody, "the queue is empty again"));
}

TEST(Channel, AnAddressThatIsNoneIsAFailureToSend) {
  Channel a(ChannelOptions{});
  for (const char* address : {"", "nonsense", "tcp://", "http://127.0.0.1:80"}) {
    EXPECT_FALSE(a.send(address, "x")) << address;
  }
  a.forget("never known");
  Channel b(ChannelOptions{});
  ASSERT_TRUE(a.send(b.address(), "still here"));
  EXPECT_EQ(next(b).bytes, "still here");
}

TEST(Channel, WhatIsSentJustBeforeTheEndArrives) {
  Channel b(ChannelOptions{});
  {
    Channel a(ChannelOptions{});
    ASSERT_TRUE(a.send(b.address(), "farewell"));
  }
  EXPECT_EQ(next(b).bytes, "farewell");
}

TEST(Channel, EndsSoonWhenNobodyTakesWhatWasSent) {
  const Clock::time_point start = Clock::now();
  {
    Channel a(ChannelOptions{});
    for (int port = 1; port < 20; ++port)
      a.send("tcp://127.0.0.1:" + std::to_string(port), std::string(10000, 'x'));
  }
  EXPECT_LT(seconds_since(start), 1.5);
}

TEST(Channel, WaitEndsWithItsTime) {
  Channel a(ChannelOptions{});
  Clock::time_point start = Clock::now();
  a.wait(0.05);
  EXPECT_GE(seconds_since(start), 0.049);
  EXPECT_LT(seconds_since(start), 1.0);
  start = Clock::now();
  a.wait(0.0);
  a.wait(-1.0);
  EXPECT_LT(seconds_since(start), 0.5);
}

TEST(Channel, WaitEndsWithAReadableDescriptor) {
  Channel a(ChannelOptions{});
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe(pipe_ends.data()), 0);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(write(pipe_ends[1], "x", 1), 1);
  });
  const Clock::time_point start = Clock::now();
  const std::array<int, 1> descriptors = {pipe_ends[0]};
  a.wait(10.0, descriptors);
  EXPECT_LT(seconds_since(start), 5.0);
  EXPECT_GE(seconds_since(start), 0.04);
  writer.join();
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(Channel, WaitEndsWithAMessageOrAnAnswer) {
  Channel a(ChannelOptions{}), b(ChannelOptions{});
  for (int i = 0; i < 20; ++i) {
    Clock::time_point start = Clock::now();
    ASSERT_TRUE(a.send(b.address(), "question"));
    b.wait(10.0);
    Channel::Received message;
    ASSERT_TRUE(b.receive(message));
    EXPECT_LT(seconds_since(start), 5.0);

    start = Clock::now();
    ASSERT_TRUE(b.reply(message.return_route, "answer"));
    a.wait(10.0);
    ASSERT_TRUE(a.receive(message));
    EXPECT_EQ(message.bytes, "answer");
    EXPECT_LT(seconds_since(start), 5.0);
  }
}

TEST(Channel, WaitSleepsThoughPeersAreConnected) {
  Channel a(ChannelOptions{});
  std::vector<std::unique_ptr<Channel>> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(std::make_unique<Channel>(ChannelOptions{}));
    a.send(peers.back()->address(), "x");
    peers.back()->send(a.address(), "y");
  }
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(next(a).bytes, "y");
  timespec before{}, after{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  const Clock::time_point start = Clock::now();
  a.wait(0.5);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  EXPECT_GE(seconds_since(start), 0.49);
  EXPECT_LT(static_cast<double>(after.tv_sec - before.tv_sec) +
                1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec),
            0.05);
}

TEST(Channel, AnswersComeThroughAFloodOfMessages) {
  Channel asker(ChannelOptions{}), server(ChannelOptions{}), flooder(ChannelOptions{});
  asker.send(server.address(), "question");
  const std::string route = next(server).return_route;
  for (int i = 0; i < 900; ++i)
    ASSERT_TRUE(flooder.send(asker.address(), "flood"));
  ASSERT_TRUE(server.reply(route, "answer"));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  int before = 0;
  while (next(asker).bytes == "flood")
    ++before;
  EXPECT_LT(before, 100);
}

TEST(Channel, APortThatIsTakenIsNamed) {
  const Channel first(ChannelOptions{});
  const std::string reason = refusal({.port = port_of(first)});
  EXPECT_THAT(reason,
              AllOf(HasSubstr(first.address()), HasSubstr("in use"), HasSubstr("choose another port")));
}

TEST(Channel, AnAddressThatIsNotOursIsNamed) {
  EXPECT_THAT(refusal({.bind = "192.0.2.1", .insecure = true}),
              AllOf(HasSubstr("192.0.2.1"), HasSubstr("none of this machine's")));
  EXPECT_THAT(refusal({.bind = "no such host"}),
              AllOf(HasSubstr("\"no such host\""), HasSubstr("no known host")));
  EXPECT_THAT(refusal({.bind = ""}), HasSubstr("no known host"));
  EXPECT_THAT(refusal({.port = 70000}), HasSubstr("70000"));
}

TEST(Channel, OtherAddressesThanLoopbackNeedASecretOrAWord) {
  EXPECT_THAT(refusal({.bind = "0.0.0.0"}), AllOf(HasSubstr("0.0.0.0"), HasSubstr("DUET_SECRET")));
  EXPECT_EQ(refusal({.bind = "0.0.0.0", .insecure = true}), "");
  EXPECT_EQ(refusal({.bind = "0.0.0.0", .secret = "a secret of some length"}), "");
  EXPECT_EQ(refusal({.bind = "localhost"}), "");
}

TEST(Channel, BoundToAllAddressesItTellsOneThatOthersReach) {
  Channel toward({.bind = "0.0.0.0", .insecure = true, .toward = "127.0.0.1"});
  EXPECT_THAT(toward.address(), MatchesRegex("tcp://127\\.0\\.0\\.1:[0-9]+"));
  Channel anywhere({.bind = "0.0.0.0", .insecure = true});
  EXPECT_THAT(anywhere.address(), testing::Not(HasSubstr("0.0.0.0")));
  ASSERT_TRUE(toward.send(anywhere.address(), "hello"));
  EXPECT_EQ(next(anywhere).bytes, "hello");
}

}  // namespace
}  // namespace duet::control
