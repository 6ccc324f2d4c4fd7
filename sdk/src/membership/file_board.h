#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "control/messages.h"
#include "membership/roster.h"

namespace duet::membership {

/// The directory through which one worker joins a run: what it and the others write there. Every file holds
/// one control message. Times are the file system's own, so that clocks of different machines do not matter.
/// Not thread-safe.
class FileBoard {
 public:
  /// Creates the directory, but not the one that it is to be in. Throws ConfigurationError where that one is
  /// not there, or cannot be written to.
  FileBoard(std::filesystem::path directory, const Entry& mine);

  /// Writes this worker's entry, or makes it fresh again.
  void publish();
  void withdraw();  ///< removes it
  void publish_roster(const Roster& roster);
  /// `other`: the worker that this one cannot train with.
  void publish_refusal(const std::string& reason, const Incarnation& other, bool timed_out);

  /// Entries that are fresh, by rank. Others are remembered, to be explained by leftover().
  std::map<int, Entry> fresh_entries();
  /// Whoever else has written this worker's own entry since.
  std::optional<Entry> usurper();
  std::optional<control::Joined> roster();
  /// Why nobody joins, if that was written since this worker came, or shortly before: then it is the last of
  /// a launch of which the others have just given up. Not so when this rank has heard of it already and comes
  /// again.
  std::optional<control::JoinRefused> refusal();
  void acknowledge_refusal();  ///< this rank has heard
  /// Why `rank` does not count although there is a file of its own; empty when there is none.
  std::string leftover(int rank) const;

 private:
  struct File {
    std::optional<control::Message> message;
    std::string reason;  ///< why there is no message
    double modified = 0.0;
  };
  std::filesystem::path entry_path(int rank) const;
  std::filesystem::path heard_path() const;
  void write(const std::filesystem::path& path, const control::Message& message);
  std::optional<File> read(const std::filesystem::path& path) const;
  double modified(const std::filesystem::path& path) const;

  std::filesystem::path directory_;
  Entry mine_;
  double begun_ = 0.0;
  double refusals_since_ = 0.0;
  double refreshed_ = 0.0;
  std::map<int, std::string> leftovers_;
  std::set<std::string> warned_;
};

}  // namespace duet::membership
