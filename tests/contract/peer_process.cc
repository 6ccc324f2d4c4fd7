#include "contract/peer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "contract/endpoint.h"

extern char** environ;  // NOLINT: POSIX says so

namespace duet::contract {
namespace {

constexpr const char* kFlag = "--contract-peer";
constexpr int kStartMilliseconds = 30'000;

void write_blob(const std::string& bytes) {
  std::putchar(static_cast<int>(bytes.size() / 256));
  std::putchar(static_cast<int>(bytes.size() % 256));
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
}

/// False: the other process has ended, or says nothing.
bool read_exactly(int descriptor, char* to, std::size_t bytes) {
  while (bytes > 0) {
    pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, kStartMilliseconds) <= 0) return false;
    const ssize_t got = ::read(descriptor, to, bytes);
    if (got <= 0) return false;
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::string> read_blob(int descriptor) {
  std::array<char, 2> head;
  if (!read_exactly(descriptor, head.data(), head.size())) return std::nullopt;
  std::string bytes(static_cast<unsigned char>(head[0]) * 256u + static_cast<unsigned char>(head[1]), '\0');
  if (!read_exactly(descriptor, bytes.data(), bytes.size())) return std::nullopt;
  return bytes;
}

/// An endpoint is given a session once, whichever its peer: far enough apart for what one peer accepts.
std::uint64_t sessions_for_next_peer() {
  static std::uint64_t peers = 0;
  return 1'000'000 * ++peers;
}

[[noreturn]] void echo_for_ever(Endpoint& endpoint, std::size_t bytes, std::uint64_t session) {
  std::vector<unsigned char> buffer(bytes);
  for (;; ++session) {
    duet_connection* const connection = endpoint.accept(session, in(60 * kSecond));
    const auto done = [&](std::uint64_t id) {
      while (!endpoint.ended(id))
        endpoint.poll(kSecond);
      return endpoint.status(id) == DUET_OK;
    };
    try {
      while (done(endpoint.receive(connection, buffer.data(), buffer.size())) &&
             done(endpoint.send(connection, buffer.data(), buffer.size()))) {
      }
    } catch (const std::runtime_error&) {
      // A post was refused: the peer is gone. On to the next one.
    }
    endpoint.close(connection);
  }
}

}  // namespace

PeerProcess::PeerProcess(const Source& source, std::size_t echo_bytes) : before_(sessions_for_next_peer()) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int device = source.last_device();
  std::vector<std::string> words = {"/proc/self/exe",
                                    kFlag,
                                    std::to_string(echo_bytes),
                                    source.path,
                                    source.memory == nullptr ? "" : source.memory->text(),
                                    std::to_string(device),
                                    std::to_string(before_)};
  for (const auto& [key, value] : source.settings_on(device))
    words.push_back(key + "=" + value);
  std::vector<char*> arguments;
  for (std::string& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int failed =
      posix_spawn(&process_, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::optional<std::string> blob = failed == 0 ? read_blob(ends[0]) : std::nullopt;
  if (blob) {
    address_ = *blob;
    while (tickets_.size() < kSessions && (blob = read_blob(ends[0])))
      tickets_.push_back(*blob);
  }
  ::close(ends[0]);
  if (!blob) {
    kill_and_reap();
    throw std::runtime_error("the peer process did not say its address");
  }
}

PeerProcess::~PeerProcess() {
  kill_and_reap();
}

std::string PeerProcess::ticket(std::uint64_t nth) const {
  return nth <= tickets_.size() ? tickets_[nth - 1] : std::string();
}

void PeerProcess::signal(int number) const {
  ::kill(process_, number);
}

void PeerProcess::kill_and_reap() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::optional<int> PeerProcess::run_if_asked(int argc, char** argv) {
  if (argc < 7 || std::string(argv[1]) != kFlag) return std::nullopt;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive a test that was killed itself
  try {
    const std::size_t bytes = std::strtoull(argv[2], nullptr, 10);
    transport::Settings settings;
    for (int i = 7; i < argc; ++i)
      settings.push_back(parse_setting(argv[i]));
    const auto transport = plugin_source("peer", argv[3], settings).load();
    const std::string memory = argv[4];
    Endpoint endpoint(transport->table(), settings, memory.empty() ? nullptr : device_memory(memory),
                      std::atoi(argv[5]));
    write_blob(endpoint.address());
    const std::uint64_t before = std::strtoull(argv[6], nullptr, 10);
    for (std::uint64_t nth = 1; nth <= kSessions; ++nth)
      write_blob(endpoint.ticket(before + nth));
    std::fflush(stdout);
    echo_for_ever(endpoint, bytes, before + 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peer process: %s\n", error.what());
    return 1;
  }
}

}  // namespace duet::contract
