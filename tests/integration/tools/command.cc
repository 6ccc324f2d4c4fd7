#include "integration/tools/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

namespace duet::testing {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> environment(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool foreign = false;
    for (const char* prefix : {"DUET_", "OMP_", "OMPI_", "PMI", "SLURM_",
                               "RANK=", "LOCAL_RANK=", "WORLD_SIZE=", "MASTER_", "JOB_COMPLETION_INDEX="}) {
      foreign = foreign || text.starts_with(prefix);
    }
    if (!foreign) entries.emplace_back(text);
  }
  for (const auto& [name, value] : variables)
    entries.push_back(std::string(name).append("=").append(value));
  return entries;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const auto& text : texts)
    result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

Command::Command(const std::vector<std::string>& arguments,
                 const std::map<std::string, std::string>& variables) {
  const std::vector<std::string> entries = environment(variables);
  const std::vector<char*> argument_list = pointers(arguments);
  const std::vector<char*> environment_list = pointers(entries);
  std::array<std::array<int, 2>, 2> pipes{};
  for (auto& ends : pipes) {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error(std::strerror(errno));
  }
  id_ = ::fork();
  if (id_ < 0) throw std::runtime_error(std::strerror(errno));
  if (id_ == 0) {
    ::dup2(pipes[0][1], 1);
    ::dup2(pipes[1][1], 2);
    ::execve(argument_list[0], argument_list.data(), environment_list.data());
    ::_exit(127);
  }
  for (std::size_t k = 0; k < 2; ++k) {
    ::close(pipes[k][1]);
    pipes_[k] = pipes[k][0];
  }
}

Command::~Command() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  for (const int end : pipes_) {
    if (end >= 0) ::close(end);
  }
}

void Command::send(int signal) const {
  ::kill(id_, signal);
}

bool Command::read_until(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!condition()) {
    if (pipes_[0] < 0 && pipes_[1] < 0) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 2> waiting = {{{pipes_[0], POLLIN, 0}, {pipes_[1], POLLIN, 0}}};
    ::poll(waiting.data(), waiting.size(), static_cast<int>(left));
    for (std::size_t k = 0; k < 2; ++k) {
      if (pipes_[k] < 0 || waiting[k].revents == 0) continue;
      std::array<char, 65536> buffer;
      const ssize_t got = ::read(pipes_[k], buffer.data(), buffer.size());
      if (got > 0) {
        text_[k].append(buffer.data(), static_cast<std::size_t>(got));
      } else {
        ::close(std::exchange(pipes_[k], -1));
      }
    }
  }
  return true;
}

int Command::wait(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  read_until([] { return false; }, timeout);
  int status = 0;
  while (::waitpid(id_, &status, WNOHANG) == 0) {
    if (Clock::now() >= deadline) return -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<std::string> Command::lines(const std::string& prefix) const {
  std::vector<std::string> found;
  std::istringstream stream(out());
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(prefix)) found.push_back(line.substr(prefix.size()));
  }
  return found;
}

Answer answer_of(const std::vector<std::string>& arguments,
                 const std::map<std::string, std::string>& variables, std::chrono::milliseconds timeout) {
  Command command(arguments, variables);
  const int exit_code = command.wait(timeout);
  return {exit_code, command.out(), command.err()};
}

}  // namespace duet::testing
