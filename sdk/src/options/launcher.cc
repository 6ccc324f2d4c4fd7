#include "options/launcher.h"

#include <spdlog/fmt/fmt.h>

#include <initializer_list>

#include "duet/error.h"
#include "options/node_list.h"
#include "topology/numbers.h"

namespace duet::options {
namespace {

/// Reads one launcher's variables.
class Reader {
 public:
  Reader(const Variables& variables, std::string launcher)
      : variables_(variables), launcher_(std::move(launcher)) {}

  bool has(const std::string& name) const { return variables_.contains(name); }

  /// The first of `names` that is set.
  std::optional<Found<std::string>> text(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const auto found = variables_.find(name);
      if (found == variables_.end()) continue;
      if (found->second.empty()) refuse(name, "is empty");
      return Found<std::string>{found->second, fmt::format("{}: {}", launcher_, name)};
    }
    return std::nullopt;
  }

  std::optional<Found<int>> whole(std::initializer_list<const char*> names, int least) const {
    for (const char* name : names) {
      const auto found = text({name});
      if (!found) continue;
      const auto value = topology::parse_number<int>(found->value);
      if (!value || *value < least) refuse(name, fmt::format("is not a whole number, at least {}", least));
      return Found<int>{*value, found->origin};
    }
    return std::nullopt;
  }

  /// "RANK=x (torchrun) is not …"
  [[noreturn]] void refuse(const std::string& name, const std::string& why) const {
    const auto found = variables_.find(name);
    throw ConfigurationError(
        fmt::format("{}={} (set by {}) {}; unset it, or set DUET_RANK and DUET_WORLD_SIZE", name,
                    found == variables_.end() ? "" : found->second, launcher_, why));
  }

  /// Rank, size, local rank; whether the sizes say that all are on one machine.
  Place place(std::initializer_list<const char*> rank, std::initializer_list<const char*> size,
              std::initializer_list<const char*> local_rank,
              std::initializer_list<const char*> local_size) const {
    Place place;
    place.launcher = launcher_;
    place.rank = whole(rank, 0);
    place.world_size = whole(size, 1);
    place.local_rank = whole(local_rank, 0);
    if (const auto count = whole(local_size, 1); count && place.world_size) {
      place.one_machine = count->value == place.world_size->value;
    }
    return place;
  }

 private:
  const Variables& variables_;
  std::string launcher_;
};

std::optional<Place> torchrun(const Variables& variables) {
  const Reader reader(variables, "torchrun");
  if (!reader.has("RANK") || !reader.has("LOCAL_RANK")) return std::nullopt;
  Place place = reader.place({"RANK"}, {"WORLD_SIZE"}, {"LOCAL_RANK"}, {"LOCAL_WORLD_SIZE"});
  if (!place.one_machine) {
    if (const auto groups = reader.whole({"GROUP_WORLD_SIZE"}, 1)) place.one_machine = groups->value == 1;
  }
  place.host = reader.text({"MASTER_ADDR"});
  place.run_id = reader.text({"TORCHELASTIC_RUN_ID"});
  if (place.run_id && place.run_id->value == "none")
    place.run_id.reset();  // what torchrun calls a run without a name
  return place;
}

std::optional<Place> open_mpi(const Variables& variables) {
  const Reader reader(variables, "Open MPI");
  if (!reader.has("OMPI_COMM_WORLD_RANK")) return std::nullopt;
  Place place = reader.place({"OMPI_COMM_WORLD_RANK"}, {"OMPI_COMM_WORLD_SIZE"},
                             {"OMPI_COMM_WORLD_LOCAL_RANK"}, {"OMPI_COMM_WORLD_LOCAL_SIZE"});
  place.host = reader.text({"MASTER_ADDR"});
  place.run_id = reader.text({"PMIX_NAMESPACE"});
  return place;
}

/// MPICH, Intel MPI, Cray PALS, Flux, and whatever else speaks PMI. Some tell a rank and no size; then a
/// later launcher, such as Slurm, knows more.
std::optional<Place> pmi(const Variables& variables) {
  const Reader reader(variables, "PMI");
  if (!(reader.has("PMIX_RANK") && reader.has("PMIX_SIZE")) &&
      !(reader.has("PMI_RANK") && reader.has("PMI_SIZE"))) {
    return std::nullopt;
  }
  const bool pmix = reader.has("PMIX_RANK") && reader.has("PMIX_SIZE");
  Place place = pmix ? reader.place({"PMIX_RANK"}, {"PMIX_SIZE"}, {"PMIX_LOCAL_RANK"}, {"PMIX_LOCAL_SIZE"})
                     : reader.place({"PMI_RANK"}, {"PMI_SIZE"},
                                    {"MPI_LOCALRANKID", "PMI_LOCAL_RANK", "FLUX_TASK_LOCAL_ID"},
                                    {"MPI_LOCALNRANKS", "PMI_LOCAL_SIZE"});
  place.host = reader.text({"MASTER_ADDR"});
  place.run_id = reader.text({"PMIX_NAMESPACE", "PMI_JOBID", "FLUX_JOB_ID"});
  return place;
}

std::optional<Place> slurm(const Variables& variables) {
  const Reader reader(variables, "Slurm");
  if (!reader.has("SLURM_PROCID")) return std::nullopt;
  // A step may have fewer tasks and nodes than its job.
  Place place = reader.place({"SLURM_PROCID"}, {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS"},
                             {"SLURM_LOCALID"}, {});
  if (const auto nodes = reader.whole({"SLURM_STEP_NUM_NODES", "SLURM_NNODES", "SLURM_JOB_NUM_NODES"}, 1)) {
    place.one_machine = nodes->value == 1;
  }
  place.host = reader.text({"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"});
  if (place.host) {
    place.host->value = first_host(place.host->value);
    if (place.host->value.empty()) place.host.reset();
  }
  place.run_id = reader.text({"SLURM_JOB_ID", "SLURM_JOBID"});
  if (place.run_id) {
    if (const auto step = reader.text({"SLURM_STEP_ID", "SLURM_STEPID"}))
      place.run_id->value += "." + step->value;
  }
  return place;
}

std::optional<Place> kubernetes(const Variables& variables) {
  const Reader reader(variables, "Kubernetes");
  if (!reader.has("JOB_COMPLETION_INDEX")) return std::nullopt;
  Place place = reader.place({"JOB_COMPLETION_INDEX"}, {}, {}, {});
  place.host = reader.text({"MASTER_ADDR"});
  place.one_machine = false;
  return place;
}

}  // namespace

Place find_place(const Variables& variables) {
  for (const auto& ask : {torchrun, open_mpi, pmi, slurm, kubernetes}) {
    if (auto place = ask(variables)) return *place;
  }
  return {};
}

}  // namespace duet::options
