#pragma once

#include <cstddef>

/// The plainest loops over memory there are, with the processor's widest vectors: what the fused passes are
/// measured against.
namespace duet::bench {

/// to = from.
void stream_copy(const float* from, float* to, std::size_t count);
/// to = a + 3·b.
void stream_triad(const float* a, const float* b, float* to, std::size_t count);

/// The sum of a and b: nothing but two streams of reads.
float stream_read(const float* a, const float* b, std::size_t count);
/// The same in vectors of half the width: some processors read faster that way.
float stream_read_narrow(const float* a, const float* b, std::size_t count);
/// a and b scaled in place: two streams that are read and written back.
void stream_update(float* a, float* b, std::size_t count);

}  // namespace duet::bench
