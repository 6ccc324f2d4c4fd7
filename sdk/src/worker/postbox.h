#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/channel.h"
#include "control/messages.h"
#include "membership/roster.h"

namespace duet::worker {

/// Sends and receives messages between members: puts run, epoch and incarnations into each one, and lets
/// nothing through that does not belong to this run and these incarnations. Communication thread only.
class Postbox {
 public:
  Postbox(control::Channel& channel, const membership::Roster& roster, int self);

  void set_epoch(std::uint64_t epoch) { header_.epoch = epoch; }
  void send(int rank, control::Body body);

  struct Letter {
    int from = 0;
    control::Body body;
  };
  /// The next letter from a member, if one is there. Late joins are answered on the way; strays are counted;
  /// everything that is taken in counts against `patience`, so that a flood does not keep the caller from its
  /// work.
  std::optional<Letter> receive(int& patience);
  std::uint64_t strays() const { return strays_; }

 private:
  bool belongs(const control::Header& header) const;

  control::Channel& channel_;
  const membership::Roster& roster_;
  int self_;
  control::Header header_;
  std::uint64_t strays_ = 0;
};

}  // namespace duet::worker
