#pragma once

#include <cstddef>
#include <string>

namespace duet::run {

/// Our own standard output or error: what is to be written waits here until the descriptor takes it, so that
/// a slow reader never keeps us from hearing a signal.
class Outlet {
 public:
  explicit Outlet(int descriptor) : descriptor_(descriptor) {}

  int descriptor() const { return descriptor_; }
  /// To append whole lines to.
  std::string& pending() { return pending_; }
  bool empty() const { return written_ == pending_.size(); }
  /// Enough is waiting: read no more for it.
  bool full() const { return pending_.size() - written_ > kEnough; }
  /// Call when poll() says that the descriptor is ready. What nobody can read any more is dropped.
  void write_some();
  void drop();

 private:
  static constexpr std::size_t kEnough = std::size_t{1} << 20;

  int descriptor_;
  bool broken_ = false;
  std::string pending_;
  std::size_t written_ = 0;
};

}  // namespace duet::run
