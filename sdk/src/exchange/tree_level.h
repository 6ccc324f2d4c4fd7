#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "exchange/tree_pass.h"

namespace duet::exchange {

/// Finds the smallest and the largest of the members' numbers: one small block up and one down every link,
/// before the passes for which the members must have come equally far. A state machine like TreePass, with
/// the same rules for its connections; once on a connection, before any pass.
class TreeLevel {
 public:
  /// timeout: seconds until all must have taken part.
  TreeLevel(const TreeLinks& links, std::uint64_t number, double timeout, double now);
  ~TreeLevel();  ///< operations in flight keep their memory alive; their completions are ignored
  TreeLevel(const TreeLevel&) = delete;
  TreeLevel& operator=(const TreeLevel&) = delete;

  bool advance(double now);  ///< true: over
  bool complete() const;
  const std::string& error() const;  ///< why not; names the peer
  std::uint64_t smallest() const;    ///< once complete
  std::uint64_t largest() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace duet::exchange
