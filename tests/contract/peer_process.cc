#include "contract/peer_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <vector>

#include "contract/endpoint.h"

extern char** environ;  // NOLINT: POSIX says so

namespace duet::contract {

PeerProcess::PeerProcess(const Source& source) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string program = "/proc/self/exe", flag = "--peer", name = source.name;
  char* arguments[] = {program.data(), flag.data(), name.data(), nullptr};
  const int failed = posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed == 0) {
    // Its address, and its tickets for the sessions from 1 on; each, and all together, behind a length in two
    // bytes.
    unsigned char head[2] = {};
    std::size_t wanted = sizeof(head), got = 0;
    std::string bytes;
    char buffer[512];
    while (got < wanted) {
      const ssize_t n = ::read(ends[0], buffer, std::min(sizeof(buffer), wanted - got));
      if (n <= 0) break;
      bytes.append(buffer, static_cast<std::size_t>(n));
      got += static_cast<std::size_t>(n);
      if (got == sizeof(head) && wanted == sizeof(head)) {
        wanted += static_cast<unsigned char>(bytes[0]) * 256u + static_cast<unsigned char>(bytes[1]);
      }
    }
    std::vector<std::string> fields;
    for (std::size_t at = sizeof(head); got == wanted && at + 2 <= bytes.size();) {
      const std::size_t length =
          static_cast<unsigned char>(bytes[at]) * 256u + static_cast<unsigned char>(bytes[at + 1]);
      fields.push_back(bytes.substr(at + 2, length));
      at += 2 + length;
    }
    if (!fields.empty()) {
      address_ = fields.front();
      std::map<std::uint64_t, std::string> tickets;
      for (std::size_t i = 1; i < fields.size(); ++i)
        tickets[i] = fields[i];
      Endpoint::know_tickets(address_, tickets);
    }
  }
  ::close(ends[0]);
  if (address_.empty()) {
    kill_and_reap();
    throw std::runtime_error("the peer process did not say its address");
  }
}

PeerProcess::~PeerProcess() {
  kill_and_reap();
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

int PeerProcess::run(const std::string& source_name) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive a test that was killed itself
  for (const Source& source : all_sources()) {
    if (source.name != source_name) continue;
    const auto transport = source.load();
    Endpoint::be_the_peer();
    Endpoint endpoint(transport->table(), source);
    const auto sized = [](const std::string& text) {
      return std::string{static_cast<char>(text.size() / 256), static_cast<char>(text.size() % 256)} + text;
    };
    std::string all = sized(endpoint.address());
    for (std::uint64_t session = 1; session <= kSessions; ++session)
      all += sized(Endpoint::ticket_for(endpoint.address(), session));
    all = sized(all);
    std::fwrite(all.data(), 1, all.size(), stdout);
    std::fflush(stdout);

    std::vector<unsigned char> buffer(kEchoBytes);
    for (std::uint64_t session = 1;; ++session) {
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
  return 2;
}

}  // namespace duet::contract
