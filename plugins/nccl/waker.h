#pragma once

#include <cstdint>

#include "line.h"

namespace duet::nccl {

/// Wakes whoever sleeps on its descriptor. Thread-safe.
class Waker {
 public:
  Waker();
  int descriptor() const { return event_.get(); }
  void wake() const;
  void clear() const;

 private:
  Descriptor event_;
};

}  // namespace duet::nccl
