#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "bytes.h"

namespace duet::nccl {

/// Who and where a context is: what it publishes, and connect() takes on the other side. Text, so that a
/// roster can be read: "duet-nccl://10.0.0.7:4567 gpu=… process=… host=…".
struct PeerAddress {
  sockaddr_in line{};      ///< where it listens
  Id128 gpu{};             ///< the device's UUID: NCCL refuses two ranks on one
  Id128 process{};         ///< random, of the process
  std::uint64_t host = 0;  ///< hash of machine and network namespace

  std::string encode() const;
  /// Throws FailureError (DUET_MISUSE), with the name of the peer, when the bytes are no such address.
  static PeerAddress decode(const std::string& blob, const std::string& peer);
};

/// "127.0.0.1:4567".
std::string to_text(const sockaddr_in& address);
/// Lower-case hexadecimal.
std::string to_text(const Id128& id);
/// Whether an address is of the loopback interface.
bool is_loopback(const sockaddr_in& address);

/// This process, as a random number that no other has.
const Id128& own_process();
/// This machine and network namespace: who has the same can be reached over loopback.
std::uint64_t own_host();
/// Sixteen random bytes from the system. Throws FailureError (DUET_BROKEN).
Id128 random_id();

}  // namespace duet::nccl
