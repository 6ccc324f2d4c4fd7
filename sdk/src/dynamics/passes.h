#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "duet/buffer.h"
#include "dynamics/elements.h"

/// The fused passes over one block (docs/concepts.md). Pure; memory-bound: each reads and writes every
/// element once. x: the trainer's parameters (float32 or bf16), d: pending correction, z: momentum (null: the
/// algorithm has none), s: this worker's snapshot, r: the peer's, both in the wire's element type. No
/// alignment is required beyond the element's own. Thread-safe on disjoint data.
///
/// A pass gives the same result for an element wherever in a block it lies. Between processors of different
/// SIMD targets results may differ by one rounding (fused multiply-add or not), but m = s − r is one exact
/// float32 subtraction everywhere, and α = ½ scales it exactly, so a meeting stays antisymmetric between
/// unlike machines. What one element undergoes is written once more in expressions.h, for devices.
namespace duet::dynamics {

/// d += c·z, z ·= 1 − 2c, s = round_to_wire(x + d). kBFloat16 rounds to nearest, ties to even; NaN stays NaN.
/// With c = 0 d and z are not written.
void snapshot(ConstElements x, float* d, float* z, void* s, DType wire, std::size_t count, float c);

/// ‖s − r‖²; not finite when any element of r or s is not, or when their float32 difference, which is what
/// apply() adds, is not (then the block must be refused). Summed in double.
double squared_distance(const void* s, const void* r, DType wire, std::size_t count);

/// m = s − r, d −= α·m, z −= β·m with β = α̃ − α.
void apply(float* d, float* z, const void* s, const void* r, DType wire, std::size_t count, float alpha,
           float beta);

/// x += d, d = 0. bf16 parameters: d = what x cannot hold, so that x + d stays what it was.
void deliver(Elements x, float* d, std::size_t count);

/// x = value, d = 0. bf16 parameters: d = what x cannot hold.
void assign(Elements x, float* d, const float* value, std::size_t count);

/// out = x as float32.
void widen(ConstElements x, float* out, std::size_t count);

/// d += c·z, z ·= 1 − 2c: mixing alone, for blocks that a broken meeting did not reach.
void mix(float* d, float* z, std::size_t count, float c);

/// out = x + d + ½z, what the run's invariant sums over (z null: x + d). out may be a float32 x, d or z.
void invariant(ConstElements x, const float* d, const float* z, float* out, std::size_t count);

/// sum += term.
void accumulate(float* sum, const float* term, std::size_t count);

/// The SIMD targets that this processor can run, best first, and which one is in use ("AVX2", …).
std::vector<std::string> simd_targets();
std::string simd_target_in_use();
/// For tests and comparisons, while no pass runs anywhere: only this one of simd_targets() from now on;
/// empty: the best again. Process-wide, the sketch included. Throws ConfigurationError for any other name.
void force_simd_target(std::string_view name);

}  // namespace duet::dynamics
