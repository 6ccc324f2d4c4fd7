#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contract/sources.h"

namespace duet::contract {

/// Another process with one endpoint: this program again. It accepts session after session, others than the
/// peers before it, and on each one echoes what it receives, kEchoBytes at a time, until it is killed.
class PeerProcess {
 public:
  static constexpr std::size_t kEchoBytes = 1000;
  /// For so many sessions it gives tickets, where the transport has them.
  static constexpr std::uint64_t kSessions = 8;

  explicit PeerProcess(const Source& source, std::size_t echo_bytes = kEchoBytes);
  ~PeerProcess();  ///< kills it
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  const std::string& address() const { return address_; }
  /// What to name its nth connection, from 1 on, and its ticket; empty where there are none.
  std::uint64_t session(std::uint64_t nth) const { return before_ + nth; }
  std::string ticket(std::uint64_t nth) const;
  void signal(int number) const;
  void kill_and_reap();

  /// The other process's main(); nothing if this process was not started as a peer.
  static std::optional<int> run_if_asked(int argc, char** argv);

 private:
  pid_t process_ = -1;
  std::uint64_t before_ = 0;  // the session before its first one
  std::string address_;
  std::vector<std::string> tickets_;
};

}  // namespace duet::contract
