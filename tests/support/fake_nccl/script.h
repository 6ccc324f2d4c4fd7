#pragma once

#include <cstdint>
#include <string>

/// How the fake libraries behave, and what they have counted. Set from a test through fake_nccl_set(), or for
/// a whole process through the variable DUET_FAKE_NCCL ("key=value,key=value"):
///
///   devices      how many GPUs there are (8)
///   version      of NCCL, as its code (22809)
///   driver       ok; none: cuInit() fails
///   init         ok; hang; fail; slow
///   enqueue      ok; slow: group ends stay in progress for a while; fail
///   group        ok; hang: nothing moves; slow; remote: the network fails under it; device: the GPU does
///   peer_death   hang, as over NVLink; error: ncclRemoteError, as over a network
///   abort_ms     how long an abort takes (0)
///   scribble     1: an abort writes to receive buffers until the very end
///   slow_ms      what slow means (30)
namespace fake {

std::string script(const std::string& key);
std::uint64_t number(const std::string& key);
void count(const std::string& name, std::int64_t by = 1);

}  // namespace fake

extern "C" {
void fake_nccl_set(const char* key, const char* value);
/// Everything as it was at the start, counters included.
void fake_nccl_reset();
/// unique_ids, communicators (alive), opened, aborts, groups, mismatches, misuses, streams, events (alive)
std::int64_t fake_nccl_count(const char* name);
/// Work that never ends in a stream until it is let go.
void fake_nccl_hold(void* stream);
void fake_nccl_let_go(void* stream);
/// Device memory that another double keeps, and whose bytes are at `alias`; alias null: no longer.
void fake_nccl_map(void* memory, std::uint64_t bytes, void* alias);
}
