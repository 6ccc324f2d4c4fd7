#pragma once

#include <memory>
#include <string>
#include <vector>

namespace duet {
class Worker;
}

namespace duet::worker {

/// Starts the exporter of libduet_exporter.so for this worker (Options::metrics_port): libduet itself knows
/// nothing of Prometheus or HTTP. Null where there is no such library, or it does not start: that is a
/// warning. Let go of it before the worker.
std::shared_ptr<void> start_exporter(Worker& worker);
/// The same from one of these files, the first that is there; for tests.
std::shared_ptr<void> start_exporter(Worker& worker, const std::vector<std::string>& paths);

}  // namespace duet::worker
