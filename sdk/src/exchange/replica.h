#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "duet/buffer.h"
#include "exchange/gate.h"
#include "exchange/memory.h"

namespace duet::exchange {

class PassMemory;

/// One block of the replica: pointers to the same `count` elements of x, d and z. z is null without momentum
/// (and always for statistics).
struct Block {
  float* x = nullptr;
  float* d = nullptr;
  float* z = nullptr;
  std::size_t count = 0;
  std::size_t offset = 0;  ///< of its first element in the whole replica, buffers in the order handed in
  BufferRole role = BufferRole::kParameters;
  int every = 0;  ///< statistics: averaged in every k-th meeting; 0: in none
};

/// A worker's copy of the model, cut into blocks. Who may write what:
///   x  the trainer alone (behind the gate); the communication thread reads it behind the gate
///   z  the communication thread alone; needs no gate
///   d  both, behind the gate
/// A block never spans two buffers. d and z are one allocation each, and a buffer's part of them begins on a
/// cache line.
class Replica {
 public:
  /// block_bytes: of x in one block; at least one element. Throws ConfigurationError that names the buffer:
  /// no elements at all (an empty buffer among others is fine), a null or misaligned pointer, memory that two
  /// buffers share, a dtype other than float32, no memory for d and z.
  Replica(const std::vector<Buffer>& buffers, bool momentum, std::size_t block_bytes);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  Gate& gate() { return gate_; }
  bool has_momentum() const { return z_ != nullptr; }
  std::size_t elements() const { return elements_; }
  std::size_t block_count() const { return blocks_.size(); }
  /// Blocks before this one hold parameters, those from it on statistics (which do not count in distances).
  std::size_t parameter_block_count() const { return parameter_blocks_; }
  const Block& block(std::size_t index) const { return blocks_[index]; }
  std::size_t largest_block() const { return largest_block_; }  ///< elements

  /// Behind the gate, by whoever wrote to d: to all of it, or to one block's.
  void set_pending();
  void set_pending(std::size_t index);
  /// Behind the gate, by the trainer: x += d, d = 0, for the blocks that something came for since the last
  /// time.
  void deliver();
  /// Behind the gate: d = 0 and z = 0 (after x was replaced as a whole).
  void clear_corrections();

  /// What tree passes work in, kept from one to the next (a synchronous algorithm makes one per step); the
  /// communication thread's own. Null until the first pass.
  std::shared_ptr<PassMemory>& pass_memory() { return pass_memory_; }

 private:
  Gate gate_;
  Memory<float> d_;
  Memory<float> z_;
  std::vector<Block> blocks_;
  std::size_t elements_ = 0;
  std::size_t padded_elements_ = 0;  ///< of d_ and z_
  std::size_t largest_block_ = 0;
  std::size_t parameter_blocks_ = 0;
  std::vector<unsigned char> pending_;  ///< per block; guarded by the gate
  bool any_pending_ = false;            ///< guarded by the gate
  std::shared_ptr<PassMemory> pass_memory_;
};

}  // namespace duet::exchange
