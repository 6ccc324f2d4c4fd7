#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duet/buffer.h"
#include "duet/export.h"
#include "duet/topology.h"

namespace duet {

/// Everything that a Worker can be told. Plain values with their defaults; times in seconds, sizes in bytes.
struct DUET_API Options {
  // ---- who am I ----
  int rank = 0;
  int world_size = 1;
  int local_rank = 0;  ///< index among the workers of this machine
  std::string run_id;  ///< empty: the seed chooses one

  // ---- how we find each other ----
  /// "seed://host:port" (rank 0 listens there), "file:DIRECTORY" (it exists; one machine or a shared file
  /// system), or "local:NAME" (workers that are threads of one process).
  std::string rendezvous = "seed://127.0.0.1:29650";
  /// Address that control and data sockets listen on. Anything but loopback needs `secret` or `insecure`.
  std::string bind = "127.0.0.1";
  std::string secret;          ///< shared by the run; encrypts and authenticates control messages (CURVE)
  bool insecure = false;       ///< allow non-loopback without a secret
  double seed_timeout = 60.0;  ///< until the seed answers at all; there is none with file: and local:
  double join_timeout = 60.0;  ///< from then, or the start, until all world_size workers are there

  // ---- the algorithm ----
  std::string algorithm = "a2cid2";                       ///< a2cid2, adpsgd, allreduce, dpsgd, local-sgd
  std::string graph = "ring";                             ///< Topology::make()
  std::optional<Topology> topology;                       ///< wins over `graph`
  std::shared_ptr<const TopologyPolicy> topology_policy;  ///< wins over both
  double rate = 1.0;                                      ///< meetings per gradient step and worker
  std::string clock = "adaptive";   ///< adaptive, wall (the paper's), meetings (deterministic)
  std::string pairing = "holdoff";  ///< holdoff, fifo, target
  /// Budget per step: drawn from Poisson(λ_i), or exactly λ_i.
  bool deterministic_budget = false;
  /// Always has budget from its first step() on, whatever the trainer does: pure gossip. A "step" is then the
  /// mean interval between meetings.
  bool unlimited_budget = false;
  /// Every worker keeps its own parameters at the start (all restored from their checkpoints, say) instead of
  /// taking rank 0's.
  bool keep_start = false;
  std::uint64_t seed = 0;

  // ---- the exchange ----
  /// NAME[:provider]: inproc, libfabric, libfabric:tcp, …, the path of a plugin, or "auto": of all that can
  /// be used here (experimental ones excepted) the best that all members share. Those are then all probed and
  /// opened; a name is the safer choice. nccl wants at least one Buffer in CUDA memory.
  std::string transport = "libfabric";
  /// What the transport is told besides: "KEY=VALUE,KEY=VALUE", e.g. "interface=eth1,port_range=29900-29999".
  /// Each transport knows its own keys and refuses others. Without an interface it gets the address of `bind`
  /// when that is not loopback.
  std::string transport_settings;
  std::vector<std::string> plugin_path;  ///< searched first; then DUET_PLUGIN_PATH, then beside libduet.so
  /// Faults to inject into the transport, for tests: "delay=0.002,drop=0.01" (docs/testing.md). Empty: none.
  std::string faults;
  DType wire = DType::kFloat32;        ///< element type on the wire
  std::size_t block_bytes = 1u << 20;  ///< of x per block; larger: fewer messages, longer waits for the gate
  int blocks_in_flight = 4;            ///< staging memory is twice this many blocks
  double meeting_timeout = 10.0;       ///< a meeting without progress for this long is broken off
  double connect_timeout = 5.0;

  // ---- the end ----
  std::uint64_t sample_goal = 0;  ///< done() when the run's samples reach it; 0: the embedder decides
  /// How long finish() waits for the others to finish training. Whoever loses patience first begins the
  /// average, and all who have finished by then join it.
  double finish_timeout = 60.0;
  /// One attempt at the final average (and any other tree pass) without progress.
  double average_timeout = 30.0;

  // ---- liveness and telemetry ----
  double heartbeat_interval = 1.0;
  double gone_after = 5.0;  ///< silence after which a member is gone
  /// Consensus distance is estimated at common wall-clock multiples of this; 0: off.
  double telemetry_interval = 0.2;
  /// Each worker's telemetry is published on this port + local_rank of `bind` (docs/monitoring.md). Where it
  /// is taken: a warning, and another one. 0: any free port; -1 ("off"): no telemetry.
  int telemetry_port = 29800;
  /// The worker serves Prometheus metrics on this port + local_rank of 127.0.0.1 (libduet_exporter.so, which
  /// is loaded for it; where it cannot be: a warning). 0: any free port; -1 ("off"): it serves none by
  /// itself.
  int metrics_port = -1;

  // ---- where values come from ----
  /// One line of the settings' origin: "world_size = 8 (torchrun: WORLD_SIZE)".
  struct Source {
    std::string name, value, origin;
  };
  /// What from_environment() and set() found or were told, once per name. A secret's value is "(hidden)".
  std::vector<Source> sources;

  /// Rank, size and rendezvous from the launcher (DUET_* > torchrun > Open MPI > PMIx/PMI > Slurm >
  /// Kubernetes Indexed Job > one process), everything else from DUET_<NAME IN CAPITALS> where set. Throws
  /// ConfigurationError that names the variable and its value.
  ///
  /// RANK counts only together with LOCAL_RANK (some operators set it to the node's index). Under torchrun
  /// rank 0 listens on MASTER_ADDR, but on a port of our own (29650): MASTER_PORT may be served by torchrun
  /// already. An Indexed Job does not tell its size: set DUET_WORLD_SIZE.
  static Options from_environment();
  /// The same from variables that are handed in; for tests and for programs that start others.
  static Options from_variables(const std::map<std::string, std::string>& variables);

  /// One setting by its name, as text: what DUET_<NAME> would do. For a program's own command line:
  ///   options.set("graph", "torus:4x4");
  /// `name` may have dashes for underscores. Throws ConfigurationError that names setting, origin and text.
  void set(std::string_view name, const std::string& text, const std::string& origin = "command line");
  /// As set() would read it; a secret is "(hidden)" when it is set. Throws ConfigurationError for an unknown
  /// name.
  std::string get(std::string_view name) const;

  /// One entry of the table that from_environment(), set(), validate() and the documentation share.
  struct Setting {
    std::string name;      ///< "block_bytes"
    std::string variable;  ///< "DUET_BLOCK_BYTES"; empty: none
    std::string help;
    std::string expected;  ///< "a whole number, at least 1"
    std::string standard;  ///< the default, as text
  };
  static const std::vector<Setting>& settings();

  /// Every setting with its present value. Origin: as in `sources`, or "default", or "program" where the
  /// value was assigned since.
  std::vector<Source> origins() const;

  /// Throws ConfigurationError on the first value that cannot be, with its origin. Called by Worker.
  void validate() const;
};

}  // namespace duet
