#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "telemetry/frame.h"

namespace duet::observer {

/// What the workers say about the run as a whole, where they may differ: while they learn that somebody is
/// gone, or for good when the network is cut. What most of them say stands; of two views as many, the one of
/// the higher epoch. Pure.
class RunViews {
 public:
  void say(int rank, const telemetry::FrameHeader& header);
  /// What this rank said counts no more: it is gone.
  void forget(int rank);
  void clear();

  /// What stands; nullptr: nobody has said anything. Its roster and what is one worker's own (host, pid, …)
  /// are of whoever said it first.
  const telemetry::FrameHeader* header() const;
  /// Changes when another view stands, or the same one in other words.
  std::uint64_t version() const { return version_; }

 private:
  struct View {
    telemetry::FrameHeader header;
    int count = 0;
  };
  void choose();

  std::map<std::uint64_t, View> views_;  ///< by what they say of the run
  std::unordered_map<int, std::uint64_t> said_;
  std::optional<std::uint64_t> stands_;
  std::uint64_t version_ = 0;
};

}  // namespace duet::observer
