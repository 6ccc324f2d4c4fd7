#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "run/outlet.h"
#include "run/prefixer.h"
#include "run/process.h"

namespace duet::run {

/// The workers of a run, from their start to the last one's end. Nothing that happens to one of them ends the
/// others.
class Crew {
 public:
  /// grace: seconds between a second SIGINT or SIGTERM and SIGKILL.
  explicit Crew(double grace);
  ~Crew();  ///< kills whoever is left
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void add(Process process);
  /// Passes on output and signals until all have ended. The largest exit code of those that ended by
  /// themselves; where all were killed: 128 + the signal.
  int wait();

 private:
  using Clock = std::chrono::steady_clock;

  struct Stream {
    Descriptor descriptor;
    Prefixer prefixer;
  };
  struct Worker {
    int rank = 0;
    pid_t id = -1;  ///< −1: has ended
    std::array<Stream, 2> streams;
  };

  void poll_once();
  void read_stream(Stream& stream, Outlet& outlet);
  void handle_signals();
  void pass_on(int signal);
  void pause();
  void reap();
  void signal_all(int signal);
  void say(const std::string& text);
  bool all_ended() const { return running_ == 0; }
  bool all_read() const;

  std::chrono::duration<double> grace_;
  Descriptor signals_;
  std::vector<Worker> workers_;
  std::array<Outlet, 2> outlets_{Outlet(1), Outlet(2)};
  int running_ = 0;
  int interruptions_ = 0;
  std::optional<Clock::time_point> kill_at_;
  std::optional<Clock::time_point> stop_reading_at_;
  std::optional<int> exit_code_;  ///< of those that ended by themselves
  std::optional<int> worst_signal_;
};

}  // namespace duet::run
