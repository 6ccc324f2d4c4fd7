#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "contract/endpoint.h"
#include "contract/resources.h"
#include "integration/unix/raw_peer.h"

/// The sample transport against peers that do not keep to its language: anybody of the same user can connect.
namespace duet::testing {
namespace {

using contract::Endpoint;
using contract::idle;
using contract::in;
using contract::kMillisecond;
using contract::kSecond;
using contract::turn;
using ::testing::HasSubstr;

class UnixTransport : public ::testing::Test {
 protected:
  UnixTransport()
      : transport_(transport::load_transport(DUET_UNIX_PLUGIN, {})), mine_(transport_->table(), {}) {}

  duet_error error_of(duet_connection* connection) {
    duet_error error{};
    mine_.state(connection, &error);
    return error;
  }
  bool until(const std::function<bool()>& done) { return turn({&mine_}, done, 10 * kSecond); }
  /// A raw peer and our connection to it, ready.
  std::pair<RawSocket, duet_connection*> greeted(std::uint64_t session) {
    RawSocket raw = RawSocket::connect(mine_.address());
    raw.greet(session);
    duet_connection* const connection = mine_.accept(session, in(10 * kSecond), "rank 3");
    EXPECT_TRUE(until([&] { return mine_.state(connection) == DUET_CONNECTION_READY; }));
    EXPECT_EQ(raw.receive().size(), 16u) << "we greet, too";
    return {std::move(raw), connection};
  }
  /// The context still does what it is for.
  void expect_well(std::uint64_t session) {
    Endpoint other(transport_->table(), {});
    duet_connection* const there = other.connect(mine_, session);
    duet_connection* const here = mine_.accept(session);
    const int out = 42;
    int back = 0;
    other.send(there, &out, sizeof(out));
    mine_.receive(here, &back, sizeof(back));
    EXPECT_TRUE(turn({&mine_, &other}, [&] { return mine_.in_flight() + other.in_flight() == 0; }));
    EXPECT_EQ(back, 42);
    mine_.close(here);
  }

  std::shared_ptr<const transport::Transport> transport_;
  Endpoint mine_;
};

TEST_F(UnixTransport, ShowsStrangersOutWhoSaySomethingElse) {
  for (const std::size_t bytes : {16u, 4000u}) {
    RawSocket raw = RawSocket::connect(mine_.address());
    const std::string noise(bytes, 'x');
    raw.send(noise.data(), noise.size());
    EXPECT_TRUE(until([&] { return raw.is_closed(); }));
  }
  expect_well(1);
}

TEST_F(UnixTransport, ForgetsStrangersWhoLeave) {
  idle({&mine_}, 5 * kMillisecond);
  const std::size_t before = contract::open_descriptors();
  for (int i = 0; i < 50; ++i) {
    RawSocket silent = RawSocket::connect(mine_.address());
    RawSocket half = RawSocket::connect(mine_.address());
    half.send("duet", 4);
    RawSocket early = RawSocket::connect(mine_.address());
    early.greet(1000 + static_cast<std::uint64_t>(i));
    mine_.poll(0);
  }
  idle({&mine_}, 20 * kMillisecond);
  EXPECT_EQ(contract::open_descriptors(), before);
  expect_well(2);
}

TEST_F(UnixTransport, HasRoomForTheRightOneAmongManySilentStrangers) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit usual = limit;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 4096) GTEST_SKIP() << "the system gives this process too few descriptors";
  std::vector<RawSocket> strangers;
  for (int i = 0; i < 900; ++i) {
    strangers.push_back(RawSocket::connect(mine_.address()));
    if (i % 50 == 0) mine_.poll(0);
  }
  idle({&mine_}, 20 * kMillisecond);
  const auto is_closed = [](const RawSocket& raw) { return raw.is_closed(); };
  EXPECT_EQ(std::count_if(strangers.begin(), strangers.end(), is_closed), 900 - 512);
  EXPECT_TRUE(strangers.front().is_closed()) << "who has been silent for longest goes first";
  expect_well(3);
  strangers.clear();
  idle({&mine_}, 20 * kMillisecond);
  setrlimit(RLIMIT_NOFILE, &usual);
}

TEST_F(UnixTransport, LetsOneSessionInOnce) {
  RawSocket first = RawSocket::connect(mine_.address()), second = RawSocket::connect(mine_.address());
  first.greet(7);
  mine_.poll(0);
  second.greet(7);
  EXPECT_TRUE(until([&] { return second.is_closed(); }));
  EXPECT_FALSE(first.is_closed());
}

TEST_F(UnixTransport, EndsAReceiveWhoseMessageBreaksOff) {
  for (const std::size_t sent : {0u, 3u, 500u}) {
    SCOPED_TRACE(sent);
    auto [raw, connection] = greeted(10 + sent);
    std::vector<char> buffer(1000);
    const auto received = mine_.receive(connection, buffer.data(), buffer.size());
    const std::vector<char> part(sent);
    if (sent == 3) raw.send(part.data(), sent);  // of the header
    if (sent == 500) raw.send_header(1000);
    if (sent == 500) raw.send(part.data(), sent);
    mine_.poll(0);
    raw.close();
    ASSERT_TRUE(until([&] { return mine_.ended(received); }));
    EXPECT_EQ(mine_.status(received), DUET_PEER_LOST);
    EXPECT_THAT(std::string(error_of(connection).text), HasSubstr("rank 3"));
    mine_.close(connection);
  }
  expect_well(4);
}

TEST_F(UnixTransport, TakesNoMemoryForLengthsThatAreNotTrue) {
  auto [raw, connection] = greeted(20);
  std::vector<char> buffer(100);
  const auto received = mine_.receive(connection, buffer.data(), buffer.size());
  const std::size_t before = contract::heap_in_use();
  raw.send_header(std::uint64_t{1} << 63);
  ASSERT_TRUE(until([&] { return mine_.ended(received); }));
  EXPECT_EQ(mine_.status(received), DUET_MISUSE);
  EXPECT_LT(contract::heap_in_use(), before + 4096);
  mine_.close(connection);
  expect_well(5);
}

TEST_F(UnixTransport, LeavesWhatNobodyReceivesWithTheSystem) {
  auto [raw, connection] = greeted(21);
  const std::size_t before = contract::heap_in_use();
  raw.send_header(1 << 30);
  std::size_t flooded = 0;
  for (int i = 0; i < 50; ++i) {
    flooded += raw.flood();
    mine_.poll(0);
  }
  EXPECT_LT(flooded, 16u << 20) << "somebody takes it";
  EXPECT_LT(contract::heap_in_use(), before + 4096);
  EXPECT_EQ(mine_.state(connection), DUET_CONNECTION_READY);
  mine_.close(connection);
}

TEST_F(UnixTransport, DeliversWhatAPeerSentBeforeItClosed) {
  auto [raw, connection] = greeted(22);
  for (const char letter : {'a', 'b'}) {
    raw.send_header(1);
    raw.send(&letter, 1);
  }
  raw.close();
  idle({&mine_}, 20 * kMillisecond);
  char first = 0, second = 0, third = 0;
  const auto one = mine_.receive(connection, &first, 1);
  const auto two = mine_.receive(connection, &second, 1);
  ASSERT_TRUE(until([&] { return mine_.ended(one) && mine_.ended(two); }));
  EXPECT_EQ(mine_.status(two), DUET_OK);
  EXPECT_EQ(std::string({first, second}), "ab");
  duet_error error{};
  const duet_status status = mine_.try_post(false, connection, &third, 1, in(kSecond), &error);
  if (status == DUET_OK) {
    EXPECT_TRUE(until([&] { return mine_.in_flight() == 0; }));
  }
  EXPECT_EQ(mine_.state(connection), DUET_CONNECTION_FAILED);
}

TEST_F(UnixTransport, TriesAgainWhenTheListenersQueueIsFull) {
  const std::string address = "duet-unix:duet-unix-1-" + std::to_string(::getpid());
  const RawSocket listener = RawSocket::listen(address, 0);
  std::vector<duet_connection*> connections;
  for (std::uint64_t session = 1; session <= 3; ++session)
    connections.push_back(mine_.connect_to(address, {}, session, in(10 * kSecond), "rank 3"));
  idle({&mine_}, 30 * kMillisecond);
  for (duet_connection* connection : connections)
    EXPECT_EQ(mine_.state(connection), DUET_CONNECTION_PENDING) << error_of(connection).text;
  std::vector<RawSocket> accepted;
  EXPECT_TRUE(until([&] {
    RawSocket next = listener.accept();
    if (next.valid()) accepted.push_back(std::move(next));
    return accepted.size() == 3;
  }));
  // Each says in its greeting which session it is, and is answered.
  for (RawSocket& raw : accepted) {
    std::string theirs;
    ASSERT_TRUE(until([&] { return (theirs += raw.receive()).size() == 16; }));
    raw.send(theirs.data(), theirs.size());
  }
  for (duet_connection* connection : connections)
    EXPECT_TRUE(until([&] { return mine_.state(connection) == DUET_CONNECTION_READY; }));
}

TEST_F(UnixTransport, DoesNotBelieveAnAnswerOfAnotherSession) {
  const std::string address = "duet-unix:duet-unix-2-" + std::to_string(::getpid());
  const RawSocket listener = RawSocket::listen(address, 5);
  duet_connection* const connection = mine_.connect_to(address, {}, 1, in(10 * kSecond), "rank 3");
  RawSocket raw;
  ASSERT_TRUE(until([&] { return (raw = listener.accept()).valid(); }));
  raw.greet(2);
  ASSERT_TRUE(until([&] { return mine_.state(connection) == DUET_CONNECTION_FAILED; }));
  EXPECT_EQ(error_of(connection).status, DUET_PEER_LOST);
}

TEST_F(UnixTransport, SleepsWhileThereAreNoDescriptors) {
  rlimit usual{};
  getrlimit(RLIMIT_NOFILE, &usual);
  RawSocket raw = RawSocket::connect(mine_.address());
  raw.greet(30);
  // UndefinedBehaviorSanitizer needs descriptors to look at a type for the first time, and the plugin will
  // log.
  transport::host_services().log(DUET_LOG_WARNING, "a test takes the descriptors away");
  rlimit low = usual;
  low.rlim_cur = 3;  // below what is open already: no new ones
  setrlimit(RLIMIT_NOFILE, &low);
  mine_.poll(0);
  std::uint64_t used = contract::processor_time_ns();
  const std::uint64_t end = in(300 * kMillisecond);
  for (std::uint64_t now = contract::now_ns(); now < end; now = contract::now_ns())
    mine_.poll(end - now);
  used = contract::processor_time_ns() - used;
  setrlimit(RLIMIT_NOFILE, &usual);
  EXPECT_LT(used, 60 * kMillisecond) << "nanoseconds of processor time";
  duet_connection* const connection = mine_.accept(30);
  EXPECT_TRUE(until([&] { return mine_.state(connection) == DUET_CONNECTION_READY; }))
      << "it was let in late";
}

TEST_F(UnixTransport, PassesNoSocketToProgramsThatItsProcessStarts) {
  auto [raw, connection] = greeted(31);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (!target.starts_with("socket:") && target != "anon_inode:[eventpoll]") continue;
    const int descriptor = std::stoi(entry.path().filename());
    if (descriptor <= STDERR_FILENO) continue;
    EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0) << target;
  }
}

TEST_F(UnixTransport, TalksToItsOwnUserAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  const std::string theirs = "duet-unix:duet-unix-3-" + std::to_string(::getpid());
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    // Another user: connects to us, and listens for us.
    if (::setuid(65534) != 0) ::_exit(1);
    const RawSocket listener = RawSocket::listen(theirs, 5);
    const RawSocket raw = RawSocket::connect(mine_.address());
    raw.greet(40);
    static_cast<void>(::write(ready[1], "x", 1) == 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  duet_connection* const accepting = mine_.accept(40, in(200 * kMillisecond));
  duet_connection* const connecting = mine_.connect_to(theirs, {}, 41, in(5 * kSecond), "rank 3");
  EXPECT_TRUE(until([&] { return mine_.state(accepting) == DUET_CONNECTION_FAILED; }));
  EXPECT_EQ(error_of(accepting).status, DUET_TIMED_OUT) << "who asked for it was not let in";
  EXPECT_EQ(mine_.state(connecting), DUET_CONNECTION_FAILED);
  EXPECT_THAT(std::string(error_of(connecting).text), HasSubstr("another user"));
  ::kill(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(UnixTransport, LeavesNothingBehindWhenItIsKilled) {
  int said[2];
  ASSERT_EQ(::pipe(said), 0);
  const pid_t other = ::fork();
  if (other == 0) {
    Endpoint theirs(transport_->table(), {});
    static_cast<void>(::write(said[1], theirs.address().data(), theirs.address().size()));
    ::pause();
    ::_exit(0);
  }
  char bytes[128];
  const ssize_t got = ::read(said[0], bytes, sizeof(bytes));
  ASSERT_GT(got, 0);
  const std::string name = std::string(bytes, static_cast<std::size_t>(got)).substr(sizeof("duet-unix:") - 1);
  const auto listed = [&] {
    std::ostringstream all;
    all << std::ifstream("/proc/net/unix").rdbuf();
    return all.str().find(name) != std::string::npos;
  };
  EXPECT_TRUE(listed());
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  EXPECT_FALSE(listed());
  ::close(said[0]);
  ::close(said[1]);
}

TEST_F(UnixTransport, RefusesSettingsThatItCannotUse) {
  for (const char* value : {"", "many", "12x", "100", "99999999999999999999", "-5"}) {
    const duet_setting setting{.key = "socket_buffer", .value = value};
    duet_probe_result result{};
    result.struct_size = sizeof(result);
    EXPECT_EQ(transport_->table().probe(&setting, 1, &result), DUET_MISUSE) << value;
    EXPECT_THAT(std::string(result.reason), HasSubstr("socket_buffer"));
  }
  Endpoint small(transport_->table(), {{"socket_buffer", "4096"}});
  duet_connection* const there = small.connect(mine_, 50);
  duet_connection* const here = mine_.accept(50);
  const auto out = contract::pattern(1 << 20, 1);
  std::vector<unsigned char> back(out.size());
  small.send(there, out.data(), out.size());
  mine_.receive(here, back.data(), back.size());
  EXPECT_TRUE(turn({&mine_, &small}, [&] { return mine_.in_flight() + small.in_flight() == 0; }));
  EXPECT_EQ(back, out);
}

}  // namespace
}  // namespace duet::testing
