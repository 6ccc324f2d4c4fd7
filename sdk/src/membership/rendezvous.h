#pragma once

#include <memory>
#include <string>

#include "membership/roster.h"

namespace duet::control {
class Channel;
}

namespace duet::membership {

struct JoinOptions {
  std::string run_id;  ///< empty: the lowest rank chooses one
  double answer_timeout = 60.0;
  double complete_timeout = 60.0;
};

/// How workers find each other. Serves joining only: once in, members hold the roster themselves.
class Rendezvous {
 public:
  virtual ~Rendezvous() = default;
  /// Hands in `mine`, returns the complete roster when all mine.world_size ranks are there. Blocks. Throws
  /// MembershipError (refused: names both sides) or TimeoutError (names the ranks that are missing).
  virtual Roster join(const Entry& mine, const JoinOptions& options) = 0;
};

/// "seed://host:port", "file:DIRECTORY" or "local:NAME". The channel is this worker's own, already bound; rank 0's is
/// bound to the seed's port (control/channel.h). Throws ConfigurationError for anything else.
std::unique_ptr<Rendezvous> make_rendezvous(const std::string& description, control::Channel& channel);

/// The port that a worker's channel must bind: the seed's for rank 0 with seed://, otherwise 0 (any).
struct SeedAddress {
  std::string host;
  int port = 0;
};
SeedAddress parse_seed(const std::string& description);

}  // namespace duet::membership
