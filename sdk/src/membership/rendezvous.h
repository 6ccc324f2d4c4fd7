#pragma once

#include <memory>
#include <string>

#include "membership/roster.h"

namespace duet::control {
class Channel;
struct Message;
}  // namespace duet::control

namespace duet::membership {

struct JoinOptions {
  std::string run_id = {};  ///< empty: the lowest rank chooses one; otherwise the same on all workers
  /// Seconds until the seed answers at all. (With file: and local: there is nobody to wait for.)
  double answer_timeout = 60.0;
  double complete_timeout = 60.0;  ///< seconds from then until all ranks are there
};

/// How workers find each other. Serves joining only: once in, members hold the roster themselves.
class Rendezvous {
 public:
  virtual ~Rendezvous() = default;
  /// Hands in `mine`, returns the complete roster when all mine.world_size ranks are there. Blocks. Throws
  /// MembershipError (refused: names both sides) or TimeoutError (names the ranks that are missing).
  virtual Roster join(const Entry& mine, const JoinOptions& options) = 0;
};

/// seed://host:port  Rank 0 listens there and collects the others' entries. The channel is this worker's own,
/// already
///                   bound; rank 0's to the seed's port. When any two cannot train together, nobody joins and
///                   everyone that asks is told why.
/// file:DIRECTORY    On one machine or a shared file system, in a sub-directory per run id ("default" without
///                   one). DIRECTORY itself must be there.
/// local:NAME        Among the threads of this process.
/// The channel must outlive the rendezvous. Throws ConfigurationError for anything else.
std::unique_ptr<Rendezvous> make_rendezvous(const std::string& description, control::Channel& channel);

/// The port that a worker's channel must bind: the seed's for rank 0 with seed://, otherwise 0 (any).
struct SeedAddress {
  std::string host;
  int port = 0;
};
constexpr int kDefaultSeedPort = 29650;
/// Of "seed://host:port" or "seed://host". For file: and local: an empty host and port 0. Throws
/// ConfigurationError that shows how to write it.
SeedAddress parse_seed(const std::string& description);

/// For the time after join(): answers whoever still asks to join, with the roster if it is a member that
/// missed the first answer, otherwise with a refusal. `self`: the rank that answers. False: the message is no
/// Join, and was not answered.
bool answer_late_join(control::Channel& channel, const Roster& roster, int self,
                      const control::Message& message, const std::string& return_route);

}  // namespace duet::membership
