#include "run/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace duet::run {

std::vector<std::string> worker_environment(Variables inherited, const Run& run, int rank) {
  Variables& all = inherited;
  all["DUET_RANK"] = std::to_string(rank);
  all["DUET_WORLD_SIZE"] = std::to_string(run.workers);
  all["DUET_LOCAL_RANK"] = std::to_string(rank);
  // Everything below is the user's to decide.
  all.try_emplace("DUET_RENDEZVOUS", run.rendezvous);
  all.try_emplace("DUET_RUN_ID", run.run_id);
  all.try_emplace("DUET_SEED_TIMEOUT",
                  "7");  // all start at the same moment: a seed that is not there never will be
  // OpenMP would give every worker all cores, and N of them would fight over each.
  all.try_emplace("OMP_NUM_THREADS", std::to_string(std::max(1, run.cores / run.workers)));
  std::vector<std::string> entries;
  entries.reserve(all.size());
  for (const auto& [name, value] : all)
    entries.push_back(std::string(name).append("=").append(value));
  return entries;
}

Variables own_variables() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      variables.try_emplace(std::string(text.substr(0, equals)), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace duet::run
