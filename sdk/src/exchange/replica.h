#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "duet/buffer.h"
#include "dynamics/elements.h"
#include "exchange/device_part.h"
#include "exchange/gate.h"
#include "exchange/memory.h"
#include "exchange/passages.h"

namespace duet::exchange {

class PassMemory;

/// One block of the replica: pointers to the same `count` elements of x, d and z. z is null without momentum
/// (and always for statistics).
struct Block {
  dynamics::Elements x{nullptr, DType::kFloat32};
  float* d = nullptr;
  float* z = nullptr;
  std::size_t count = 0;
  std::size_t offset = 0;  ///< of its first element in the whole replica, buffers in the order handed in
  BufferRole role = BufferRole::kParameters;
  int every = 0;               ///< statistics: averaged in every k-th meeting; 0: in none
  DevicePart* part = nullptr;  ///< the device that all three are on; null: host memory

  float* floats() const { return static_cast<float*>(x.data); }  ///< of a float32 x
};

/// A worker's copy of the model, cut into blocks. Who may write what:
///   x  the trainer alone (behind the gate); the communication thread reads it behind the gate
///   z  the communication thread alone; needs no gate
///   d  both, behind the gate
/// A block never spans two buffers. d and z lie where their x does, in one allocation each for host memory
/// and for every device, and a buffer's part of them begins on a cache line. What is on a device is touched
/// in the order of streams (device_part.h), for which everyone enters and leaves through this class, not
/// through the bare gate.
class Replica {
 public:
  /// block_bytes: of x in one block; at least one element. Throws ConfigurationError that names the buffer:
  /// no elements at all (an empty buffer among others is fine), a null or misaligned pointer, memory that two
  /// buffers share or that is not on the device that is named, a device that is not there, two streams for
  /// one device, no memory for d and z.
  Replica(const std::vector<Buffer>& buffers, bool momentum, std::size_t block_bytes);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  Gate& gate() { return gate_; }
  bool has_momentum() const { return momentum_; }
  std::size_t elements() const { return elements_; }
  std::size_t block_count() const { return blocks_.size(); }
  /// Blocks before this one hold parameters, those from it on statistics (which do not count in distances).
  std::size_t parameter_block_count() const { return parameter_blocks_; }
  const Block& block(std::size_t index) const { return blocks_[index]; }
  std::size_t largest_block() const { return largest_block_; }  ///< elements

  // ---- The gate, with the order of streams where there are devices.
  /// What fails throws DeviceError; the gate is not held then.
  void enter_trainer();
  void leave_trainer();
  /// The communication thread's turn: runs `work` behind the gate. False: the trainer is inside, and did not
  /// leave within `seconds`. What `work` throws passes through.
  template <class Work>
  bool in_communication_turn(double seconds, Work&& work) {
    if (!gate_.enter_communication(seconds)) return false;
    try {
      work();
    } catch (...) {
      abandon_communication_turn();
      throw;
    }
    leave_communication();
    return true;
  }
  /// The trainer's thread is about to wait for a tree pass, which writes x; and has waited.
  void hand_over();
  void take_back();
  /// The trainer's stream on a device from now on; its thread.
  void set_stream(int device_index, void* stream);

  const std::vector<std::unique_ptr<DevicePart>>& parts() const { return parts_; }

  /// Behind the gate, by whoever wrote to d: to all of it, or to one block's.
  void set_pending();
  void set_pending(std::size_t index);
  /// Behind the gate, by the trainer: x += d, d = 0, for the blocks that something came for since the last
  /// time.
  void deliver();
  /// Behind the gate: nothing is pending (x was replaced as a whole).
  void clear_pending();

  /// The communication thread's own.
  Passages& passages() { return *passages_; }
  /// What tree passes work in, kept from one to the next (a synchronous algorithm makes one per step); the
  /// communication thread's own. Null until the first pass.
  std::shared_ptr<PassMemory>& pass_memory() { return pass_memory_; }

 private:
  void leave_communication();
  /// The same where something else has failed already, which must not be hidden: only logs.
  void abandon_communication_turn() noexcept;
  void open_devices(const std::vector<Buffer>& buffers);
  void cut(const std::vector<Buffer>& buffers, std::size_t most);
  DevicePart* part_of(const Buffer& buffer) const;

  Gate gate_;
  bool momentum_;
  std::vector<std::unique_ptr<DevicePart>> parts_;
  std::unique_ptr<Passages> passages_;
  /// d and z of host memory (first) and of each part.
  struct Home {
    std::size_t padded_elements = 0;
    device::Bytes d, z;
  };
  std::vector<Home> homes_;
  std::vector<Block> blocks_;
  std::size_t elements_ = 0;
  std::size_t largest_block_ = 0;
  std::size_t parameter_blocks_ = 0;
  std::vector<unsigned char> pending_;  ///< per block; guarded by the gate
  bool any_pending_ = false;            ///< guarded by the gate
  std::shared_ptr<PassMemory> pass_memory_;
};

}  // namespace duet::exchange
