#include "run/crew.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <utility>

namespace duet::run {
namespace {

/// How long what a worker left behind may keep its pipes open once all workers have ended.
constexpr std::chrono::seconds kLastWords{1};

}  // namespace

Crew::Crew(double grace) : grace_(grace), signals_(open_signals()) {}

Crew::~Crew() {
  signal_all(SIGKILL);
  for (const Worker& worker : workers_) {
    if (worker.id > 0) ::waitpid(worker.id, nullptr, 0);
  }
}

void Crew::add(Process process) {
  const int rank = static_cast<int>(workers_.size());
  const std::string prefix = "[" + std::to_string(rank) + "] ";
  workers_.push_back({rank,
                      process.id,
                      {Stream{std::move(process.output), Prefixer(prefix)},
                       Stream{std::move(process.error), Prefixer(prefix)}}});
  ++running_;
}

int Crew::wait() {
  while (!all_ended() || !all_read() || !outlets_[0].empty() || !outlets_[1].empty())
    poll_once();
  return exit_code_ ? *exit_code_ : 128 + worst_signal_.value_or(0);
}

void Crew::poll_once() {
  std::vector<pollfd> waiting = {{signals_.number(), POLLIN, 0}};
  std::vector<std::pair<Stream*, Outlet*>> streams = {{nullptr, nullptr}};
  bool held_up = false;
  for (Worker& worker : workers_) {
    for (std::size_t k = 0; k < worker.streams.size(); ++k) {
      if (!worker.streams[k].descriptor.open()) continue;
      if (outlets_[k].full()) {
        held_up = true;
        continue;
      }
      waiting.push_back({worker.streams[k].descriptor.number(), POLLIN, 0});
      streams.emplace_back(&worker.streams[k], &outlets_[k]);
    }
  }
  for (const Outlet& outlet : outlets_) {
    if (!outlet.empty()) waiting.push_back({outlet.descriptor(), POLLOUT, 0});
  }
  if (held_up && stop_reading_at_)
    stop_reading_at_ = Clock::now() + kLastWords;  // it is our reader who is late

  int timeout = -1;
  for (const auto& deadline : {kill_at_, stop_reading_at_}) {
    if (!deadline) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
    const int bounded = static_cast<int>(std::clamp<long>(left, 0, 3'600'000));
    timeout = timeout < 0 ? bounded : std::min(timeout, bounded);
  }
  if (::poll(waiting.data(), waiting.size(), timeout) < 0 && errno != EINTR) {
    say(std::string("poll: ") + std::strerror(errno));
    ::usleep(10'000);
    return;
  }
  if (waiting[0].revents != 0) handle_signals();
  for (std::size_t k = 1; k < streams.size(); ++k) {
    if (waiting[k].revents != 0) read_stream(*streams[k].first, *streams[k].second);
  }
  for (Outlet& outlet : outlets_)
    outlet.write_some();

  const auto now = Clock::now();
  if (kill_at_ && now >= *kill_at_) {
    kill_at_.reset();
    say("still running after " + std::to_string(static_cast<int>(grace_.count())) +
        " s: killing all workers");
    signal_all(SIGKILL);
  }
  if (all_ended() && !all_read() && !stop_reading_at_) stop_reading_at_ = now + kLastWords;
  if (stop_reading_at_ && now >= *stop_reading_at_) {
    for (Worker& worker : workers_) {
      for (std::size_t k = 0; k < worker.streams.size(); ++k) {
        Stream& stream = worker.streams[k];
        if (!stream.descriptor.open()) continue;
        stream.prefixer.finish(outlets_[k].pending());
        stream.descriptor.close();
      }
    }
  }
}

void Crew::read_stream(Stream& stream, Outlet& outlet) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(stream.descriptor.number(), buffer.data(), buffer.size());
  if (got > 0) {
    stream.prefixer.feed({buffer.data(), static_cast<std::size_t>(got)}, outlet.pending());
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    stream.prefixer.finish(outlet.pending());
    stream.descriptor.close();
  }
}

void Crew::handle_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.number(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) {
      reap();
    } else if (number == SIGTSTP) {
      pause();
    } else {
      pass_on(number);
    }
  }
}

void Crew::pass_on(int signal) {
  ++interruptions_;
  if (all_ended()) {  // only output is left, and somebody does not want to wait for it
    for (Worker& worker : workers_) {
      for (Stream& stream : worker.streams)
        stream.descriptor.close();
    }
    for (Outlet& outlet : outlets_)
      outlet.drop();
    return;
  }
  signal_all(signal);
  if (interruptions_ >= 2 && !kill_at_) {
    kill_at_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(grace_);
  } else if (interruptions_ > 2) {
    kill_at_ = Clock::now();
  }
}

/// Ctrl-Z: the workers, in groups of their own, would not notice.
void Crew::pause() {
  signal_all(SIGSTOP);
  ::raise(SIGSTOP);  // until somebody continues us
  signal_all(SIGCONT);
}

void Crew::reap() {
  for (Worker& worker : workers_) {
    if (worker.id < 0) continue;
    int status = 0;
    if (::waitpid(worker.id, &status, WNOHANG) != worker.id) continue;
    worker.id = -1;
    --running_;
    if (WIFSIGNALED(status)) {
      const int number = WTERMSIG(status);
      worst_signal_ = std::max(worst_signal_.value_or(0), number);
      say("worker " + std::to_string(worker.rank) + " was lost: signal " + std::to_string(number) + " (" +
          ::strsignal(number) + ")");
    } else {
      exit_code_ = std::max(exit_code_.value_or(0), WEXITSTATUS(status));
    }
  }
}

void Crew::signal_all(int signal) {
  for (const Worker& worker : workers_) {
    if (worker.id > 0) ::kill(-worker.id, signal);
  }
}

void Crew::say(const std::string& text) {
  outlets_[1].pending() += "duet-run: " + text + "\n";
}

bool Crew::all_read() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const Worker& worker) {
    return std::none_of(worker.streams.begin(), worker.streams.end(),
                        [](const Stream& stream) { return stream.descriptor.open(); });
  });
}

}  // namespace duet::run
