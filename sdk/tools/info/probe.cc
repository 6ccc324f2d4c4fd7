#include "info/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "duet/error.h"

namespace duet::info {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

void write_line(int descriptor, const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(descriptor, text.data() + done, text.size() - done);
    if (wrote < 0 && errno != EINTR) ::_exit(1);
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
  }
}

Json to_json(const TransportCandidate& candidate) {
  return {{"name", candidate.name},       {"path", candidate.path},
          {"version", candidate.version}, {"abi", candidate.abi},
          {"loaded", candidate.loaded},   {"viable", candidate.viable},
          {"reason", candidate.reason},   {"capabilities", candidate.capabilities}};
}

TransportCandidate from_json(const Json& json) {
  TransportCandidate candidate;
  json.at("name").get_to(candidate.name);
  json.at("path").get_to(candidate.path);
  json.at("version").get_to(candidate.version);
  json.at("abi").get_to(candidate.abi);
  json.at("loaded").get_to(candidate.loaded);
  json.at("viable").get_to(candidate.viable);
  json.at("reason").get_to(candidate.reason);
  json.at("capabilities").get_to(candidate.capabilities);
  return candidate;
}

using Failures = std::map<std::string, std::string>;  // path → what it did

[[noreturn]] void discover(int descriptor, const ProbeRequest& request, const Failures& failures) {
  ::dup2(2, 1);  // what a plugin prints is no output of ours
  try {
    const auto may_load = [&](const std::string& path) {
      if (failures.contains(path)) return false;
      write_line(descriptor, {{"loading", path}});
      return true;
    };
    const auto found =
        discover_transports(request.plugin_path, may_load, request.transport, request.transport_settings);
    Json list = Json::array();
    for (const TransportCandidate& candidate : found)
      list.push_back(to_json(candidate));
    write_line(descriptor, {{"found", list}});
    ::_exit(0);  // without the destructors of plugins that may not survive them
  } catch (const std::exception& error) {
    write_line(descriptor, {{"error", error.what()}});
    ::_exit(1);
  }
}

struct Outcome {
  std::optional<std::vector<TransportCandidate>> found;
  std::string loading;  ///< the last file that was begun
  std::string failure;  ///< what became of the child, if it did not find
};

class Child {
 public:
  Child(const ProbeRequest& request, const Failures& failures) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw Error(std::string("no pipe to probe plugins: ") + std::strerror(errno));
    id_ = ::fork();
    if (id_ == 0) discover(ends[1], request, failures);
    ::close(ends[1]);
    pipe_ = ends[0];
    if (id_ < 0) throw Error(std::string("no process to probe plugins: ") + std::strerror(errno));
  }
  ~Child() {
    ::close(pipe_);
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Outcome wait(std::chrono::milliseconds patience) {
    Outcome outcome;
    std::string text;
    auto deadline = Clock::now() + patience;
    while (!outcome.found) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd waiting{pipe_, POLLIN, 0};
      const int ready = left <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left));
      if (ready == 0) {
        outcome.failure =
            "did not come back within " + std::to_string(patience.count()) + " ms and was stopped";
        return outcome;
      }
      std::array<char, 4096> buffer;
      const ssize_t got = ready < 0 ? -1 : ::read(pipe_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(got));
      for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
        take(Json::parse(text.substr(0, end)), outcome);
        text.erase(0, end + 1);
        deadline = Clock::now() + patience;
      }
    }
    if (!outcome.found && outcome.failure.empty()) outcome.failure = end();
    return outcome;
  }

 private:
  static void take(const Json& message, Outcome& outcome) {
    if (message.contains("loading")) {
      message["loading"].get_to(outcome.loading);
    } else if (message.contains("error")) {
      message["error"].get_to(outcome.failure);
    } else {
      outcome.found.emplace();
      for (const Json& candidate : message.at("found"))
        outcome.found->push_back(from_json(candidate));
    }
  }

  /// How it ended.
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

std::vector<TransportCandidate> probe_transports(const ProbeRequest& request) {
  Failures failures;
  for (;;) {
    Outcome outcome = Child(request, failures).wait(request.patience);
    if (!outcome.found) {
      // Without a plugin to blame, or blaming one that was not even touched, there is no point in another
      // attempt.
      if (outcome.loading.empty() || !failures.emplace(outcome.loading, outcome.failure).second) {
        throw Error("looking for transports failed: " + outcome.failure);
      }
      continue;
    }
    for (TransportCandidate& candidate : *outcome.found) {
      const auto failure = failures.find(candidate.path);
      if (failure != failures.end()) candidate.reason = failure->second + " when it was loaded and probed";
    }
    return *outcome.found;
  }
}

}  // namespace duet::info
