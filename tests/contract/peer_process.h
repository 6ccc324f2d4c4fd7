#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "contract/sources.h"

namespace duet::contract {

/// Another process with one endpoint: this program again, started with "--peer SOURCE". It accepts session
/// after session (1, 2, …), and on each one echoes what it receives, kEchoBytes at a time, until it is
/// killed.
class PeerProcess {
 public:
  static constexpr std::size_t kEchoBytes = 1000;
  static constexpr std::uint64_t kSessions = 8;  ///< that it can be reached under, where tickets are needed

  explicit PeerProcess(const Source& source);
  ~PeerProcess();  ///< kills it
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  const std::string& address() const { return address_; }
  void signal(int number) const;
  void kill_and_reap();

  /// The other process's main().
  static int run(const std::string& source_name);

 private:
  pid_t process_ = -1;
  std::string address_;
};

}  // namespace duet::contract
