#pragma once

#include <string>

#include "membership/rendezvous.h"

namespace duet::membership {

/// local:NAME: a table of this process, for workers that are its threads. The name is free again as soon as
/// its run is complete or was refused. Objects of different threads; each is not thread-safe.
class LocalRendezvous : public Rendezvous {
 public:
  explicit LocalRendezvous(std::string name) : name_(std::move(name)) {}
  Roster join(const Entry& mine, const JoinOptions& options) override;

 private:
  std::string name_;
};

}  // namespace duet::membership
