#pragma once

#include <cuda_runtime_api.h>

#include "device/backend.h"

namespace duet::cuda {

/// CUDA devices for libduet, through the runtime library (linked statically, so that this library loads where
/// there is no driver, and then says so). Whatever it calls, the calling thread's current device is as
/// before.
// The class is final: nobody deletes it through a base, which cannot be deleted (clang-tidy 14 overlooks
// that).
class CudaBackend final : public device::Backend {  // NOLINT(cppcoreguidelines-virtual-class-destructor)
 public:
  const char* failure() const override;
  bool count(int* devices) override;
  bool describe(int index, char* text, std::size_t bytes) override;
  int owner(const void* data) override;
  bool allocate(int index, std::size_t bytes, void** memory) override;
  void deallocate(int index, void* memory) override;
  bool allocate_pinned(int index, std::size_t bytes, void** memory) override;
  void deallocate_pinned(int index, void* memory) override;
  bool make_stream(int index, void** stream) override;
  void destroy_stream(int index, void* stream) override;
  bool make_event(int index, void** event) override;
  void destroy_event(int index, void* event) override;
  bool record(int index, void* event, void* stream) override;
  bool wait(int index, void* stream, void* event) override;
  device::Progress query(int index, void* event) override;
  bool copy(int index, void* stream, void* to, const void* from, std::size_t bytes,
            device::Direction direction) override;
  bool clear(int index, void* stream, void* memory, std::size_t bytes) override;
  bool snapshot(int index, void* stream, dynamics::ConstElements x, float* d, float* z, void* s, DType wire,
                std::size_t count, float c) override;
  bool apply(int index, void* stream, float* d, float* z, const void* s, const void* r, DType wire,
             std::size_t count, float alpha, float beta) override;
  bool deliver(int index, void* stream, dynamics::Elements x, float* d, std::size_t count) override;
  bool assign(int index, void* stream, dynamics::Elements x, float* d, const float* value,
              std::size_t count) override;
  bool mix(int index, void* stream, float* d, float* z, std::size_t count, float c) override;
  bool invariant(int index, void* stream, dynamics::ConstElements x, const float* d, const float* z,
                 float* out, std::size_t count) override;
  bool widen(int index, void* stream, dynamics::ConstElements x, float* out, std::size_t count) override;
  bool squared_distance(int index, void* stream, const void* s, const void* r, DType wire, std::size_t count,
                        double* sum) override;
  bool sketch(int index, void* stream, std::uint64_t key, dynamics::ConstElements x, const float* d,
              std::size_t offset, std::size_t count, double* sums) override;
};

}  // namespace duet::cuda
