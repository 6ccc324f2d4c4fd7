#include "cuda/kernels.h"

#include "dynamics/choices.h"
#include "telemetry/sketch_row.h"

namespace duet::cuda {
namespace {

constexpr unsigned kThreads = 256;
/// Elements that a thread loads before it stores the first: enough reads under way to fill the memory's
/// pipeline. Those of a block of threads are side by side, so every access of a warp is one run of memory.
constexpr unsigned kUnroll = 4;
/// Enough blocks for any device; each then takes several turns.
constexpr std::size_t kMostBlocks = 4096;

unsigned blocks_for(std::size_t count, std::size_t per_block) {
  const std::size_t blocks = (count + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

template <class Element>
__global__ void __launch_bounds__(kThreads) sweep(Element element, std::size_t count) {
  constexpr std::size_t kTile = std::size_t{kThreads} * kUnroll;
  for (std::size_t tile = blockIdx.x * kTile; tile < count; tile += gridDim.x * kTile) {
    const std::size_t first = tile + threadIdx.x;
    if (tile + kTile <= count) {
      typename Element::Loaded loaded[kUnroll];
#pragma unroll
      for (unsigned i = 0; i < kUnroll; ++i)
        loaded[i] = element.load(first + i * kThreads);
#pragma unroll
      for (unsigned i = 0; i < kUnroll; ++i)
        element.store(first + i * kThreads, loaded[i]);
    } else {
      for (std::size_t i = first; i < count; i += kThreads)
        element.store(i, element.load(i));
    }
  }
}

struct Launch {
  cudaStream_t stream;
  std::size_t count;

  template <class Element>
  void operator()(const Element& element) const {
    if (count == 0) return;
    sweep<<<blocks_for(count, std::size_t{kThreads} * kUnroll), kThreads, 0, stream>>>(element, count);
  }
};

template <class Element>
__global__ void __launch_bounds__(kThreads) add_terms(Element element, std::size_t count, double* sum) {
  double mine = 0.0;
  const std::size_t stride = std::size_t{gridDim.x} * kThreads;
  for (std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride)
    mine += element.term(i);
  for (unsigned step = 16; step > 0; step /= 2)
    mine += __shfl_down_sync(0xFFFFFFFFU, mine, step);
  __shared__ double of_warps[kThreads / 32];
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
    double all = 0.0;
    for (const double one : of_warps)
      all += one;
    atomicAdd(sum, all);
  }
}

struct LaunchSum {
  cudaStream_t stream;
  std::size_t count;
  double* sum;

  template <class Element>
  void operator()(const Element& element) const {
    if (count == 0) return;
    add_terms<<<blocks_for(count, std::size_t{kThreads} * 8), kThreads, 0, stream>>>(element, count, sum);
  }
};

/// A block of threads takes some consecutive rows. Thread t owns the places t, t + kThreads, …, in registers,
/// and in each row fetches the elements that go there: side by side, but for where the rotation wraps around.
constexpr unsigned kPlacesPerThread = telemetry::kSketchSize / kThreads;
constexpr std::size_t kRowsPerBlock = 16;

template <class X>
__global__ void __launch_bounds__(kThreads)
    sketch_rows(std::uint64_t key, const typename X::Element* x, const float* d, std::size_t offset,
                std::size_t count, double* sums) {
  const std::size_t first_row = offset / telemetry::kSketchSize;
  const std::size_t last_row = (offset + count - 1) / telemetry::kSketchSize;
  double mine[kPlacesPerThread] = {};
  for (std::size_t group = blockIdx.x; first_row + group * kRowsPerBlock <= last_row; group += gridDim.x) {
    const std::size_t begin = first_row + group * kRowsPerBlock;
    const std::size_t end = begin + kRowsPerBlock <= last_row ? begin + kRowsPerBlock : last_row + 1;
    for (std::size_t row = begin; row < end; ++row) {
      const std::size_t rotation = telemetry::row_rotation(key, row);
#pragma unroll
      for (unsigned i = 0; i < kPlacesPerThread; ++i) {
        const std::size_t place = threadIdx.x + i * kThreads;
        const std::size_t column = (place + telemetry::kSketchSize - rotation) % telemetry::kSketchSize;
        const std::size_t element = row * telemetry::kSketchSize + column;
        if (element < offset || element >= offset + count) continue;
        const std::size_t at = element - offset;
        const float value = d == nullptr ? X::load(x + at) : X::load(x + at) + d[at];
        mine[i] += static_cast<double>(telemetry::signed_value(key, row, column, value));
      }
    }
  }
#pragma unroll
  for (unsigned i = 0; i < kPlacesPerThread; ++i)
    atomicAdd(sums + threadIdx.x + i * kThreads, mine[i]);
}

}  // namespace

cudaError_t snapshot(cudaStream_t stream, dynamics::ConstElements x, float* d, float* z, void* s, DType wire,
                     std::size_t count, float c) {
  dynamics::choose_snapshot(x, d, z, s, wire, c, Launch{stream, count});
  return cudaGetLastError();
}

cudaError_t apply(cudaStream_t stream, float* d, float* z, const void* s, const void* r, DType wire,
                  std::size_t count, float alpha, float beta) {
  dynamics::choose_apply(d, z, s, r, wire, alpha, beta, Launch{stream, count});
  return cudaGetLastError();
}

cudaError_t deliver(cudaStream_t stream, dynamics::Elements x, float* d, std::size_t count) {
  dynamics::choose_deliver(x, d, Launch{stream, count});
  return cudaGetLastError();
}

cudaError_t assign(cudaStream_t stream, dynamics::Elements x, float* d, const float* value,
                   std::size_t count) {
  dynamics::choose_assign(x, d, value, Launch{stream, count});
  return cudaGetLastError();
}

cudaError_t mix(cudaStream_t stream, float* d, float* z, std::size_t count, float c) {
  Launch{stream, count}(dynamics::MixElement{d, z, c, 1.0F - 2.0F * c});
  return cudaGetLastError();
}

cudaError_t invariant(cudaStream_t stream, dynamics::ConstElements x, const float* d, const float* z,
                      float* out, std::size_t count) {
  dynamics::choose_invariant(x, d, z, out, Launch{stream, count});
  return cudaGetLastError();
}

cudaError_t widen(cudaStream_t stream, dynamics::ConstElements x, float* out, std::size_t count) {
  dynamics::choose_widen(x, out, Launch{stream, count});
  return cudaGetLastError();
}

cudaError_t squared_distance(cudaStream_t stream, const void* s, const void* r, DType wire, std::size_t count,
                             double* sum) {
  dynamics::choose_squared_distance(s, r, wire, LaunchSum{stream, count, sum});
  return cudaGetLastError();
}

cudaError_t sketch(cudaStream_t stream, std::uint64_t key, dynamics::ConstElements x, const float* d,
                   std::size_t offset, std::size_t count, double* sums) {
  if (count == 0) return cudaSuccess;
  const std::size_t rows =
      (offset + count - 1) / telemetry::kSketchSize - offset / telemetry::kSketchSize + 1;
  const unsigned blocks = blocks_for(rows, kRowsPerBlock);
  if (x.dtype == DType::kFloat32) {
    sketch_rows<dynamics::Float32>
        <<<blocks, kThreads, 0, stream>>>(key, static_cast<const float*>(x.data), d, offset, count, sums);
  } else {
    sketch_rows<dynamics::BFloat16><<<blocks, kThreads, 0, stream>>>(
        key, static_cast<const std::uint16_t*>(x.data), d, offset, count, sums);
  }
  return cudaGetLastError();
}

}  // namespace duet::cuda
