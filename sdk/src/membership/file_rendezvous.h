#pragma once

#include <filesystem>
#include <string>

#include "membership/rendezvous.h"

namespace duet::membership {

/// file:DIRECTORY, which must be there. Everyone puts its entry into DIRECTORY/RUN and keeps it fresh; rank 0
/// looks at all of them and writes the roster, or why there will be none. Files appear by renaming, so nobody
/// reads half of one. What runs before left behind is not fresh, or does not name this worker, and is told
/// apart by that. Not thread-safe.
class FileRendezvous : public Rendezvous {
 public:
  explicit FileRendezvous(std::string directory) : directory_(std::move(directory)) {}
  Roster join(const Entry& mine, const JoinOptions& options) override;

 private:
  std::filesystem::path directory_;
};

/// The sub-directory of a run: its id, with what does not belong into a file name replaced; "default" without
/// one.
std::string directory_name(const std::string& run_id);

}  // namespace duet::membership
