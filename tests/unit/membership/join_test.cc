// Workers that find each other, as threads of this process.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>

#include "control/messages.h"
#include "duet/log.h"
#include "membership/file_rendezvous.h"
#include "unit/membership/join_support.h"

namespace duet::membership {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

constexpr int kWorkers = 8;

/// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory()
      : path_(std::filesystem::temp_directory_path() / ("duet-" + Incarnation::random().text())) {
    std::filesystem::create_directory(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// What is true of every rendezvous.
class Join : public testing::TestWithParam<const char*> {
 protected:
  Join() {
    const std::string kind = GetParam();
    if (kind == "seed") rendezvous_ = "seed://127.0.0.1:" + std::to_string(free_port());
    if (kind == "file") rendezvous_ = "file:" + directory_.path().string();
    if (kind == "local") rendezvous_ = "local:" + Incarnation::random().text();
  }

  static std::vector<Joiner> workers(int count = kWorkers) {
    std::vector<Joiner> joiners;
    for (int rank = 0; rank < count; ++rank)
      joiners.push_back({.entry = test_entry(rank, count)});
    return joiners;
  }

  static void expect_one_roster(const std::vector<Joiner>& joiners, const std::vector<Outcome>& outcomes) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const Outcome& outcome = outcomes[i];
      ASSERT_TRUE(outcome.joined()) << i << outcome.membership_error << outcome.timeout
                                    << outcome.other_error;
      EXPECT_FALSE(outcome.roster.run_id.empty());
      EXPECT_EQ(outcome.roster.run_id, outcomes[0].roster.run_id);
      EXPECT_EQ(outcome.roster.entries, outcomes[0].roster.entries);
      const Entry& entry = outcome.roster.entries.at(i);
      EXPECT_EQ(entry.incarnation, joiners[i].entry.incarnation);
      EXPECT_EQ(entry.transports, joiners[i].entry.transports);
      EXPECT_THAT(entry.control_address, HasSubstr("tcp://127.0.0.1:"));
    }
  }

  static void expect_all_refused(const std::vector<Outcome>& outcomes, const std::string& one,
                                 const std::string& other) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      EXPECT_THAT(outcomes[i].membership_error, AllOf(HasSubstr(one), HasSubstr(other)))
          << i << outcomes[i].timeout << outcomes[i].other_error;
      EXPECT_LT(outcomes[i].seconds, 8.0);
    }
  }

  TemporaryDirectory directory_;
  std::string rendezvous_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, Join, testing::Values("seed", "file", "local"),
                         [](const auto& suite_info) { return std::string(suite_info.param); });

TEST_P(Join, EightWorkersGetOneRoster) {
  const std::vector<Joiner> joiners = workers();
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  expect_one_roster(joiners, outcomes);
  for (const Outcome& outcome : outcomes)
    EXPECT_LT(outcome.seconds, 3.0);
}

TEST_P(Join, OneWorkerIsARunToo) {
  const std::vector<Joiner> joiners = workers(1);
  expect_one_roster(joiners, join_all(rendezvous_, joiners));
}

TEST_P(Join, LateStartersAreWaitedFor) {
  std::vector<Joiner> joiners = workers(4);
  joiners[2].delay = 0.8;
  joiners[3].delay = 0.4;
  expect_one_roster(joiners, join_all(rendezvous_, joiners));
}

TEST_P(Join, RankZeroMayStartLast) {
  std::vector<Joiner> joiners = workers(4);
  joiners[0].delay = 1.0;
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  expect_one_roster(joiners, outcomes);
  for (const Outcome& outcome : outcomes)
    EXPECT_LT(outcome.seconds, 4.0);
}

TEST_P(Join, TheRunIdIsKept) {
  std::vector<Joiner> joiners = workers(3);
  for (Joiner& joiner : joiners)
    joiner.options.run_id = "my run/7";
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  expect_one_roster(joiners, outcomes);
  EXPECT_EQ(outcomes[0].roster.run_id, "my run/7");
}

TEST_P(Join, ThePlaceIsFreeAgainForTheNextRun) {
  for (int run = 0; run < 3; ++run) {
    const std::vector<Joiner> joiners = workers(3);
    expect_one_roster(joiners, join_all(rendezvous_, joiners));
  }
}

TEST_P(Join, AnotherModelIsRefusedForEveryone) {
  std::vector<Joiner> joiners = workers();
  joiners[5].entry.schema_hash = 78;
  joiners[5].entry.schema = "weight float32 10x21\nbias float32 10";
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  expect_all_refused(outcomes, "rank 5 (pid 1005 on node-5)", "weight float32 10x21");
}

TEST_P(Join, AnotherWorldSizeIsRefusedForEveryone) {
  std::vector<Joiner> joiners = workers(4);
  joiners[2].entry.world_size = 6;
  joiners[3].delay = 0.3;  // the refusal must not come after everyone joined
  joiners.pop_back();
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  expect_all_refused(outcomes, "rank 2 (pid 1002 on node-2)", "expects");
}

TEST_P(Join, TheSameRankTwiceIsRefusedForEveryone) {
  std::vector<Joiner> joiners = workers(4);
  joiners[3].entry.rank = 2;
  joiners[3].entry.pid = 2002;
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  expect_all_refused(outcomes, "1002", "2002");
}

TEST_P(Join, WhoIsMissingIsNamedInTime) {
  std::vector<Joiner> joiners = workers(6);
  joiners.erase(joiners.begin() + 4);
  joiners.erase(joiners.begin() + 2);
  for (Joiner& joiner : joiners)
    joiner.options.complete_timeout = 1.0;
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  for (const Outcome& outcome : outcomes) {
    EXPECT_THAT(outcome.timeout, AllOf(HasSubstr("ranks 2 and 4"), HasSubstr("1 s")))
        << outcome.membership_error << outcome.other_error;
    EXPECT_LT(outcome.seconds, 3.0);
  }
}

TEST_P(Join, WhatIsWaitedForIsSaidAtEveryRank) {
  std::mutex mutex;  // several ranks speak
  std::string said;
  set_log_sink([&](LogLevel, std::string_view text) {
    const std::lock_guard lock(mutex);
    said.append(text).append("\n");
  });
  std::vector<Joiner> joiners = workers(3);
  joiners.pop_back();
  for (Joiner& joiner : joiners)
    joiner.options.complete_timeout = 4.5;
  const std::vector<Outcome> outcomes = join_all(rendezvous_, joiners);
  set_log_sink({});
  for (const Outcome& outcome : outcomes)
    EXPECT_THAT(outcome.timeout, HasSubstr("4.5 s (DUET_JOIN_TIMEOUT)")) << outcome.other_error;
  for (const char* node : {"node-0", "node-1"}) {
    EXPECT_THAT(said,
                ContainsRegex(std::string(node) + ". is waiting for rank 2 to join (at|in) [^\n]*, up to "
                                                  "4.5 s .DUET_JOIN_TIMEOUT."));
  }
}

// ---- seed:// only
// ------------------------------------------------------------------------------------------------

TEST(JoinSeed, WithASecretToo) {
  std::vector<Joiner> joiners;
  for (int rank = 0; rank < 4; ++rank) {
    joiners.push_back({.entry = test_entry(rank, 4), .secret = "a secret of some length"});
  }
  for (const Outcome& outcome : join_all("seed://127.0.0.1:" + std::to_string(free_port()), joiners)) {
    EXPECT_TRUE(outcome.joined()) << outcome.timeout << outcome.membership_error << outcome.other_error;
  }
}

TEST(JoinSeed, AnotherSecretGetsNoAnswer) {
  std::vector<Joiner> joiners(2);
  joiners[0] = {.entry = test_entry(0, 2), .secret = "a secret of some length"};
  joiners[1] = {.entry = test_entry(1, 2), .secret = "another secret of that length"};
  joiners[0].options.complete_timeout = 1.5;
  joiners[1].options.answer_timeout = 1.0;
  const std::vector<Outcome> outcomes = join_all("seed://127.0.0.1:" + std::to_string(free_port()), joiners);
  EXPECT_THAT(outcomes[0].timeout, HasSubstr("rank 1"));
  EXPECT_THAT(outcomes[1].timeout,
              AllOf(HasSubstr("no Duet worker answers at 127.0.0.1:"), HasSubstr("secret")));
}

TEST(JoinSeed, NobodyThereIsATimeoutThatSaysWhere) {
  const int port = free_port();
  Joiner joiner{.entry = test_entry(1, 2)};
  joiner.options.answer_timeout = 0.7;
  const Outcome outcome = join_all("seed://127.0.0.1:" + std::to_string(port), {joiner}).front();
  EXPECT_THAT(outcome.timeout, HasSubstr("no Duet worker answers at 127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(outcome.timeout, HasSubstr("0.7 s (DUET_SEED_TIMEOUT)"));
  EXPECT_LT(outcome.seconds, 2.0);
}

TEST(JoinSeed, SomeoneElseThereIsATimeoutToo) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string rendezvous = "seed://127.0.0.1:" + std::to_string(ntohs(address.sin_port));

  std::vector<Joiner> joiners = {{.entry = test_entry(0, 2)}, {.entry = test_entry(1, 2)}};
  joiners[1].options.answer_timeout = 0.7;
  const std::vector<Outcome> outcomes = join_all(rendezvous, joiners);
  close(listener);
  EXPECT_THAT(outcomes[0].other_error, HasSubstr("in use"));
  EXPECT_THAT(outcomes[1].timeout, HasSubstr("no Duet worker answers"));
  EXPECT_LT(outcomes[1].seconds, 2.0);
}

TEST(JoinSeed, WhoComesWhenTheRunHasBegunIsAnsweredByTheLoop) {
  control::Channel seed(control::ChannelOptions{});
  Entry zero = test_entry(0, 2), one = test_entry(1, 2);
  zero.control_address = seed.address();
  const std::string rendezvous = "seed://" + seed.address().substr(std::string("tcp://").size());
  const Roster roster{"run", {zero, one}, {}};

  const auto serve_one = [&] {
    control::Channel::Received received;
    while (!seed.receive(received))
      seed.wait(5.0);
    const std::optional<control::Message> message = control::decode(received.bytes);
    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(answer_late_join(seed, roster, 0, *message, received.return_route));
    EXPECT_FALSE(
        answer_late_join(seed, roster, 0, {message->header, control::PartReceived{}}, received.return_route));
  };
  std::thread loop([&] {
    serve_one();
    serve_one();
  });
  control::Channel channel(control::ChannelOptions{});
  EXPECT_EQ(make_rendezvous(rendezvous, channel)->join(one, {}).entries, roster.entries);
  control::Channel late(control::ChannelOptions{});
  try {
    make_rendezvous(rendezvous, late)->join(test_entry(1, 2), {});
    ADD_FAILURE() << "a restarted rank joined";
  } catch (const MembershipError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("had begun"), HasSubstr("run")));
  }
  loop.join();
}

TEST(JoinSeed, ASeedThatLoopbackHidesIsExplained) {
  control::Channel channel(control::ChannelOptions{});
  try {
    make_rendezvous("seed://192.0.2.1:29650", channel)->join(test_entry(1, 2), {});
    ADD_FAILURE() << "joined through an address that nobody has";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("192.0.2.1"), HasSubstr("DUET_BIND")));
  }
}

TEST(JoinSeed, RankZeroElsewhereIsAConfigurationError) {
  control::Channel channel(control::ChannelOptions{});
  EXPECT_THROW(make_rendezvous("seed://127.0.0.1:1", channel)->join(test_entry(0, 2), {}),
               ConfigurationError);
}

// ---- file: only
// --------------------------------------------------------------------------------------------------

TEST(JoinFile, WhatLiesAboutIsExplained) {
  const TemporaryDirectory directory;
  const std::filesystem::path run = directory.path() / "default";
  std::filesystem::create_directories(run);
  std::ofstream(run / "entry-1") << "this is no entry";
  Entry old = test_entry(2, 4);
  old.schema_hash = 99;  // must not disturb
  std::ofstream(run / "entry-2") << control::encode({{.rank = 2}, control::Join{old}});
  std::filesystem::last_write_time(run / "entry-2",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::seconds(300));
  std::ofstream(run / "roster") << control::encode({{}, control::Joined{"old", {test_entry(0, 1)}}});
  std::ofstream(run / "refused") << control::encode({{}, control::JoinRefused{"an old refusal", false}});
  std::filesystem::last_write_time(run / "refused",
                                   std::filesystem::file_time_type::clock::now() - std::chrono::seconds(300));

  Joiner joiner{.entry = test_entry(0, 4)};
  joiner.options.complete_timeout = 0.5;
  const Outcome outcome = join_all("file:" + directory.path().string(), {joiner}).front();
  EXPECT_THAT(outcome.timeout,
              AllOf(HasSubstr("ranks 1 to 3 did not"), HasSubstr("entry-1 is no entry"),
                    HasSubstr("entry-2 is of rank 2"), HasSubstr("stopped looking 300 s ago")))
      << outcome.membership_error << outcome.other_error;

  // The next run finds its way through all of that.
  std::vector<Joiner> joiners;
  for (int rank = 0; rank < 4; ++rank)
    joiners.push_back({.entry = test_entry(rank, 4)});
  for (const Outcome& next : join_all("file:" + directory.path().string(), joiners)) {
    EXPECT_TRUE(next.joined()) << next.membership_error << next.timeout << next.other_error;
  }
  // And leaves nothing but the roster.
  int files = 0;
  for ([[maybe_unused]] const auto& item : std::filesystem::directory_iterator(run))
    ++files;
  EXPECT_EQ(files, 1);
}

TEST(JoinFile, WhoComesLateToARefusalHearsOfItButTheNextAttemptDoesNot) {
  const TemporaryDirectory directory;
  std::vector<Joiner> joiners;
  for (int rank = 0; rank < 3; ++rank)
    joiners.push_back({.entry = test_entry(rank, 3)});
  joiners[1].entry.schema_hash = 78;
  joiners[2].delay = 1.0;
  for (const Outcome& outcome : join_all("file:" + directory.path().string(), joiners)) {
    EXPECT_THAT(outcome.membership_error, HasSubstr("models differ"))
        << outcome.timeout << outcome.other_error;
    EXPECT_LT(outcome.seconds, 3.0);
  }
  for (Joiner& joiner : joiners)
    joiner = {.entry = test_entry(joiner.entry.rank, 3)};
  for (const Outcome& outcome : join_all("file:" + directory.path().string(), joiners)) {
    EXPECT_TRUE(outcome.joined()) << outcome.membership_error << outcome.timeout << outcome.other_error;
  }
}

TEST(JoinFile, ARosterWithoutThisWorkerIsExplained) {
  const TemporaryDirectory directory;
  const std::filesystem::path run = directory.path() / "default";
  std::filesystem::create_directories(run);
  std::ofstream(run / "roster") << control::encode(
      {{}, control::Joined{"old", {test_entry(0, 2), test_entry(1, 2)}}});
  Joiner joiner{.entry = test_entry(1, 2)};
  joiner.options.complete_timeout = 0.3;
  const Outcome outcome = join_all("file:" + directory.path().string(), {joiner}).front();
  EXPECT_THAT(outcome.timeout,
              AllOf(HasSubstr("rank 0 did not"), HasSubstr("run old"), HasSubstr("id of its own")));
}

TEST(JoinFile, ADirectoryThatIsNotThereIsAConfigurationErrorAtOnce) {
  const TemporaryDirectory directory;
  const std::string nowhere = (directory.path() / "nowhere").string();
  for (const std::string& named : {nowhere, std::string("/dev/null"), std::string("/dev/null/here")}) {
    const Outcome outcome = join_all("file:" + named, {{.entry = test_entry(0, 2)}}).front();
    EXPECT_THAT(outcome.other_error, AllOf(HasSubstr(named + ": N"), HasSubstr("create it")));
    EXPECT_LT(outcome.seconds, 3.0);
  }
  EXPECT_FALSE(std::filesystem::exists(nowhere));
}

TEST(JoinFile, ATimeoutSaysWhatToCheck) {
  const TemporaryDirectory directory;
  Joiner joiner{.entry = test_entry(1, 2)};
  joiner.options.complete_timeout = 0.3;
  const Outcome outcome = join_all("file:" + directory.path().string(), {joiner}).front();
  EXPECT_THAT(outcome.timeout, AllOf(HasSubstr("the same directory"), HasSubstr("DUET_RUN_ID"),
                                     HasSubstr("all were started")));
}

TEST(JoinFile, RunIdsBecomeHarmlessNames) {
  EXPECT_EQ(directory_name(""), "default");
  EXPECT_EQ(directory_name("job-17_a.b"), "job-17_a.b");
  for (const char* id : {"default", "..", ".hidden", "a/b", "../../etc", "ü"}) {
    const std::string name = directory_name(id);
    EXPECT_EQ(name.find('/'), std::string::npos) << id;
    EXPECT_NE(name.front(), '.') << id;
    EXPECT_NE(name, id);
  }
  EXPECT_NE(directory_name("a/b"), directory_name("a?b"));
  EXPECT_LT(directory_name(std::string(5000, 'x')).size(), 200u);
}

TEST(JoinLocal, ATimeoutSaysThatItIsForThreads) {
  Joiner joiner{.entry = test_entry(1, 2)};
  joiner.options.complete_timeout = 0.3;
  EXPECT_THAT(join_all("local:alone", {joiner}).front().timeout, HasSubstr("threads of one process only"));
}

TEST(Rendezvous, DescriptionsAreParsed) {
  EXPECT_EQ(parse_seed("seed://node-7:1234").host, "node-7");
  EXPECT_EQ(parse_seed("seed://node-7:1234").port, 1234);
  EXPECT_EQ(parse_seed("seed://10.0.0.1").port, kDefaultSeedPort);
  EXPECT_EQ(parse_seed("file:/tmp/x").port, 0);
  EXPECT_EQ(parse_seed("local:x").port, 0);
}

TEST(Rendezvous, DescriptionsThatAreNoneShowHowToWriteThem) {
  for (const char* description :
       {"", "node-7:1234", "tcp://node-7:1234", "seed://", "seed://:1234",
        "seed://node-7:", "seed://node-7:0", "seed://node-7:65536", "seed://node-7:12x", "seed://node-7:-1",
        "seed://[::1]:1234", "seed://::1:1234", "seed://node-7:1234/", "seed://user@node-7",
        "file:", "local:"}) {
    try {
      parse_seed(description);
      ADD_FAILURE() << description;
    } catch (const ConfigurationError& error) {
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr("\"" + std::string(description) + "\""), HasSubstr("seed://HOST:PORT")));
    }
  }
}

}  // namespace
}  // namespace duet::membership
