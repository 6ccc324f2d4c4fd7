#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// Runs programs for tests: with a clean environment, a deadline, and nothing left behind.
namespace duet::testing {

/// A running program; what it writes is collected. Killed at the end.
class Command {
 public:
  /// Starts it. `variables` come on top of this process's, without its DUET_*, OMP_* and launchers' ones.
  explicit Command(const std::vector<std::string>& arguments,
                   const std::map<std::string, std::string>& variables = {});
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  pid_t id() const { return id_; }
  void send(int signal) const;
  /// Reads until `condition` holds. False: it did not by the deadline, or everything was read.
  bool read_until(const std::function<bool()>& condition, std::chrono::milliseconds timeout);
  /// Reads to the end and returns the exit code, as a shell gives it. −1: still running at the deadline.
  int wait(std::chrono::milliseconds timeout = std::chrono::seconds(30));

  const std::string& out() const { return text_[0]; }
  const std::string& err() const { return text_[1]; }
  /// Lines of out() that begin with `prefix`, without it.
  std::vector<std::string> lines(const std::string& prefix) const;

 private:
  pid_t id_ = -1;
  int pipes_[2] = {-1, -1};
  std::string text_[2];
};

/// What a program wrote and how it ended (Command::wait()).
struct Answer {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// Starts it and waits for its end.
Answer answer_of(const std::vector<std::string>& arguments,
                 const std::map<std::string, std::string>& variables = {},
                 std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace duet::testing
