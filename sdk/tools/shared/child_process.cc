#include "shared/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

#include "duet/error.h"

namespace duet::tools {
namespace {

using Clock = std::chrono::steady_clock;

// The first character of what goes through the pipe says what it is.
constexpr char kLine = 'L';
constexpr char kException = 'X';
constexpr char kReturned = 'R';

void write_line(int descriptor, char kind, std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  text = kind + text + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(descriptor, text.data() + done, text.size() - done);
    if (wrote < 0 && errno != EINTR) ::_exit(1);
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
  }
}

[[noreturn]] void be_the_child(int descriptor, const std::function<void(const Say&)>& body) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  try {
    body([descriptor](const std::string& line) { write_line(descriptor, kLine, line); });
    write_line(descriptor, kReturned, "");
  } catch (const std::exception& exception) {
    write_line(descriptor, kException, exception.what());
  } catch (...) {
    write_line(descriptor, kException, "of a type that is no std::exception");
  }
  ::_exit(0);  // without destructors that may not survive what happened
}

class Child {
 public:
  explicit Child(const std::function<void(const Say&)>& body) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(std::string("no pipe: ") + std::strerror(errno));
    id_ = ::fork();
    if (id_ == 0) be_the_child(ends[1], body);
    ::close(ends[1]);
    pipe_ = ends[0];
    if (id_ < 0) throw Error(std::string("no process: ") + std::strerror(errno));
  }
  ~Child() {
    ::close(pipe_);
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string follow(std::chrono::milliseconds patience,
                     const std::function<void(const std::string&)>& on_line) {
    std::string text;
    auto deadline = Clock::now() + patience;
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd waiting{.fd = pipe_, .events = POLLIN, .revents = 0};
      const int ready = left <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left));
      if (ready == 0)
        return "did not come back within " + std::to_string(patience.count()) + " ms and was stopped";
      std::array<char, 4096> buffer;
      const ssize_t got = ready < 0 ? -1 : ::read(pipe_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return end();
      text.append(buffer.data(), static_cast<std::size_t>(got));
      for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n')) {
        const char kind = text.front();
        const std::string line = text.substr(1, at - 1);
        text.erase(0, at + 1);
        if (kind == kReturned) return {};
        if (kind == kException) return "threw an exception: " + line;
        on_line(line);
        deadline = Clock::now() + patience;
      }
    }
  }

 private:
  std::string end() {
    int status = 0;
    if (::waitpid(id_, &status, 0) != id_) return "was lost";
    id_ = -1;
    if (!WIFSIGNALED(status))
      return "ended the process (exit code " + std::to_string(WEXITSTATUS(status)) + ")";
    return std::string("crashed (signal ") + std::to_string(WTERMSIG(status)) + ", " +
           ::strsignal(WTERMSIG(status)) + ")";
  }

  pid_t id_ = -1;
  int pipe_ = -1;
};

}  // namespace

std::string run_in_child(const std::function<void(const Say&)>& body, std::chrono::milliseconds patience,
                         const std::function<void(const std::string&)>& on_line) {
  return Child(body).follow(patience, on_line);
}

}  // namespace duet::tools
