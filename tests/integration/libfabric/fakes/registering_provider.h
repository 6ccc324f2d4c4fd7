#pragma once

#include <cstdint>

/// What the provider "registering" (registering_provider.cc) has seen. It is loaded by libfabric, so a test
/// that wants to look must find this symbol in the very same shared object.
struct RegisteringCounters {
  std::uint64_t registrations = 0;  ///< made so far
  std::uint64_t cuda = 0;           ///< of these, of CUDA memory
  std::uint64_t live = 0;
  std::uint64_t violations =
      0;  ///< posts without a registration, registrations that ended before their operations
  std::uint64_t fail_next = 0;  ///< so many registrations are refused, for want of lockable memory
};
extern "C" RegisteringCounters* registering_counters();
