#include "contract/peer_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
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
    // Its address, one byte of length ahead in two.
    unsigned char head[2] = {};
    std::size_t wanted = sizeof(head), got = 0;
    std::string bytes;
    char buffer[512];
    while (got < wanted) {
      const ssize_t n = ::read(ends[0], buffer, wanted - got);
      if (n <= 0) break;
      bytes.append(buffer, static_cast<std::size_t>(n));
      got += static_cast<std::size_t>(n);
      if (got == sizeof(head) && wanted == sizeof(head)) {
        wanted += static_cast<unsigned char>(bytes[0]) * 256u + static_cast<unsigned char>(bytes[1]);
      }
    }
    if (got > sizeof(head) && got == wanted) address_ = bytes.substr(sizeof(head));
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
    Endpoint endpoint(transport->table(), source.settings);
    const std::string& address = endpoint.address();
    std::putchar(static_cast<int>(address.size() / 256));
    std::putchar(static_cast<int>(address.size() % 256));
    std::fwrite(address.data(), 1, address.size(), stdout);
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
