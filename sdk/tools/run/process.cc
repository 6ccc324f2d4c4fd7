#include "run/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <system_error>

namespace duet::run {
namespace {

sigset_t original_mask;
std::optional<rlimit> original_limit;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP})
    sigaddset(&set, number);
  return set;
}

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Pipe open_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "no pipe for a worker");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(pid_t parent, int output, int error, int failure, const char* path,
                         char* const* arguments, char* const* environment) {
  const auto fail = [failure] {
    const int number = errno;
    (void)!::write(failure, &number, sizeof number);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail();
  if (::getppid() != parent) ::_exit(127);  // it died before we asked to follow
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(error, 2) < 0) fail();
  if (nothing > 2) ::close(nothing);
  if (original_limit) ::setrlimit(RLIMIT_NOFILE, &*original_limit);
  ::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &original_mask, nullptr);
  ::execve(path, arguments, environment);
  fail();
  ::_exit(127);
}

}  // namespace

void Descriptor::close() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Process start_process(const std::string& path, const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment) {
  Pipe output = open_pipe();
  Pipe error = open_pipe();
  Pipe failure = open_pipe();  // closed by a successful exec
  const std::vector<char*> argument_list = pointers(arguments);
  const std::vector<char*> environment_list = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  if (id < 0) throw std::system_error(errno, std::generic_category(), "cannot start a worker");
  if (id == 0) {
    become(parent, output.write.number(), error.write.number(), failure.write.number(), path.c_str(),
           argument_list.data(), environment_list.data());
  }
  ::setpgid(id, id);  // the child does it too: whoever comes first
  failure.write.close();
  int number = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure.read.number(), &number, sizeof number);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof number)) {
    ::waitpid(id, nullptr, 0);
    throw std::system_error(number, std::generic_category(), "cannot execute " + path);
  }
  for (const Descriptor* end : {&output.read, &error.read}) {
    ::fcntl(end->number(), F_SETFL, ::fcntl(end->number(), F_GETFL) | O_NONBLOCK);
  }
  return {id, std::move(output.read), std::move(error.read)};
}

void block_signals() {
  const sigset_t set = handled_signals();
  ::sigprocmask(SIG_BLOCK, &set, &original_mask);
  ::signal(SIGPIPE, SIG_IGN);  // a reader that went away is no reason to end the workers
}

Descriptor open_signals() {
  const sigset_t set = handled_signals();
  Descriptor descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.open()) throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
  return descriptor;
}

void make_room_for_descriptors(int count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= static_cast<rlim_t>(count)) return;
  original_limit = limit;
  limit.rlim_cur = std::min(static_cast<rlim_t>(count), limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void fill_standard_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    const int opened = ::open("/dev/null", O_RDWR);  // the lowest free number: this one
    if (opened != number) ::_exit(125);
  }
}

}  // namespace duet::run
