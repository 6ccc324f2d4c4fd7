#pragma once

#include <map>
#include <optional>
#include <string>

namespace duet::options {

using Variables = std::map<std::string, std::string>;

/// A value and where it comes from: "torchrun: WORLD_SIZE".
template <typename T>
struct Found {
  T value{};
  std::string origin;
};

/// What a launcher says about this process. What it does not say is empty.
struct Place {
  std::optional<Found<int>> rank;
  std::optional<Found<int>> world_size;
  std::optional<Found<int>> local_rank;
  std::optional<Found<std::string>> run_id;
  /// The host of rank 0. Not where all are on one machine.
  std::optional<Found<std::string>> host;
  std::string launcher;  ///< "torchrun"; empty: none, one process
  std::optional<bool> one_machine;
};

/// torchrun/Ray > Open MPI > PMIx/PMI > Slurm > Kubernetes Indexed Job. The first that is there says
/// everything. Throws ConfigurationError that names a variable and its value, or the one that is missing.
Place find_place(const Variables& variables);

}  // namespace duet::options
