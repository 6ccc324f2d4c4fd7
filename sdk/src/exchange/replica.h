#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "duet/buffer.h"
#include "exchange/gate.h"

namespace duet::exchange {

/// One block of the replica: pointers to the same `count` elements of x, d and z. z is null without momentum.
struct Block {
  float* x = nullptr;
  float* d = nullptr;
  float* z = nullptr;
  std::size_t count = 0;
  std::size_t offset = 0;  ///< of its first element in the whole replica
};

/// A worker's copy of the model, cut into blocks. Who may write what:
///   x  the trainer alone (behind the gate); the communication thread reads it behind the gate
///   z  the communication thread alone; needs no gate
///   d  both, behind the gate
class Replica {
 public:
  /// Throws ConfigurationError: no elements, a null pointer, a dtype other than float32.
  Replica(std::vector<Buffer> buffers, bool momentum, std::size_t block_bytes);

  Gate& gate() { return gate_; }
  std::size_t elements() const { return elements_; }
  std::size_t block_count() const { return blocks_.size(); }
  const Block& block(std::size_t index) const { return blocks_[index]; }
  std::size_t largest_block() const { return largest_block_; }  ///< elements

  /// Behind the gate, by whoever wrote to d.
  void set_pending() { pending_ = true; }
  /// Behind the gate, by the trainer: x += d, d = 0, when something came since the last time.
  void deliver();
  /// Behind the gate: d = 0 and z = 0 (after x was replaced as a whole).
  void clear_corrections();

 private:
  struct Free {
    void operator()(float* data) const;
  };
  using Array = std::unique_ptr<float[], Free>;

  Gate gate_;
  std::vector<Buffer> buffers_;
  Array d_;
  Array z_;
  std::vector<Block> blocks_;
  std::size_t elements_ = 0;
  std::size_t largest_block_ = 0;
  bool pending_ = false;  ///< guarded by the gate
};

}  // namespace duet::exchange
