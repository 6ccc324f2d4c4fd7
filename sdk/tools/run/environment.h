#pragma once

#include <map>
#include <string>
#include <vector>

namespace duet::run {

using Variables = std::map<std::string, std::string>;

/// What all workers of one run share.
struct Run {
  int workers = 1;
  std::string rendezvous;  ///< used unless DUET_RENDEZVOUS is set
  std::string run_id;      ///< used unless DUET_RUN_ID is set
  int cores = 1;           ///< of this machine, to be shared out among the workers
};

/// "NAME=value" for execve(): the variables that we were started with, and what makes this worker that rank.
std::vector<std::string> worker_environment(Variables inherited, const Run& run, int rank);

/// This process's own variables.
Variables own_variables();

}  // namespace duet::run
