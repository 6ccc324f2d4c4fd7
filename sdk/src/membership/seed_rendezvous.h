#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/channel.h"
#include "control/messages.h"
#include "membership/rendezvous.h"
#include "membership/seed_desk.h"

namespace duet::membership {

/// seed://: rank 0 keeps the desk (seed_desk.h), everyone else asks there until answered. Not thread-safe.
class SeedRendezvous : public Rendezvous {
 public:
  SeedRendezvous(SeedAddress seed, control::Channel& channel);
  Roster join(const Entry& mine, const JoinOptions& options) override;

 private:
  Roster serve(const Entry& mine, const JoinOptions& options);
  Roster ask(const Entry& mine, const JoinOptions& options);
  void require_reachable(const Entry& mine) const;
  void answer(const std::vector<SeedDesk::Answer>& answers, const Entry& mine, const std::string& run_id);
  /// Receives what is there and answers it.
  void serve_messages(SeedDesk& desk, const Entry& mine);
  /// Tells of the refusal whoever asks only now, for a short while.
  void tell_stragglers(SeedDesk& desk, const Entry& mine);

  SeedAddress seed_;
  control::Channel& channel_;
};

}  // namespace duet::membership
