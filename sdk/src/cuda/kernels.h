#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "dynamics/elements.h"

/// The passes as CUDA kernels: launches only, on the current device. What each does to an element stands in
/// dynamics/expressions.h. Everything returns the launch's own error.
namespace duet::cuda {

cudaError_t snapshot(cudaStream_t stream, dynamics::ConstElements x, float* d, float* z, void* s, DType wire,
                     std::size_t count, float c);
cudaError_t apply(cudaStream_t stream, float* d, float* z, const void* s, const void* r, DType wire,
                  std::size_t count, float alpha, float beta);
cudaError_t deliver(cudaStream_t stream, dynamics::Elements x, float* d, std::size_t count);
cudaError_t assign(cudaStream_t stream, dynamics::Elements x, float* d, const float* value,
                   std::size_t count);
cudaError_t mix(cudaStream_t stream, float* d, float* z, std::size_t count, float c);
cudaError_t invariant(cudaStream_t stream, dynamics::ConstElements x, const float* d, const float* z,
                      float* out, std::size_t count);
cudaError_t widen(cudaStream_t stream, dynamics::ConstElements x, float* out, std::size_t count);
/// *sum += ‖s − r‖².
cudaError_t squared_distance(cudaStream_t stream, const void* s, const void* r, DType wire, std::size_t count,
                             double* sum);
cudaError_t sketch(cudaStream_t stream, std::uint64_t key, dynamics::ConstElements x, const float* d,
                   std::size_t offset, std::size_t count, double* sums);

}  // namespace duet::cuda
