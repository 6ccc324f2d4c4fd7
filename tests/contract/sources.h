#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "contract/memory.h"
#include "transport/transport.h"

namespace duet::contract {

/// One transport that has to keep the contract, and how to get it.
struct Source {
  std::string name;
  std::function<std::shared_ptr<const transport::Transport>()> load;
  transport::Settings settings;
  bool own_process_only = false;                   ///< cannot reach another process
  std::shared_ptr<DeviceMemory> memory = nullptr;  ///< null: it moves host memory
  int device = 0;                                  ///< of that memory
  int devices = 0;  ///< above 0: endpoints take turns on all but the last, which is for the other process
};

inline std::ostream& operator<<(std::ostream& out, const Source& source) {
  return out << source.name;
}

/// The in-process transport, the same behind the fault-injecting decorator without and with a delay, and
/// every plugin of the list that the suite was built with and of DUET_CONTRACT_PLUGINS, both
/// "NAME=PATH[,KEY=VALUE…]" separated by
/// '|' (a plugin author sets the variable, and runs the suite against a plugin of their own). Three keys are
/// the suite's own: memory=cuda:LIBRARY (memory.h), devices=N (Source::devices) and scope=process
/// (Source::own_process_only).
const std::vector<Source>& all_sources();

}  // namespace duet::contract
