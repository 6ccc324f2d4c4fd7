#pragma once

#include <cstdint>
#include <random>

namespace duet::simulation {

using Random = std::mt19937_64;

/// What randomness is for. Each purpose has a stream of its own, so that more draws for one of them change
/// nothing else, and runs with neighbouring seeds have no stream in common. The numbers are part of what a
/// seed means: never reuse one.
enum class Purpose : std::uint32_t {
  kRun = 0,        ///< steps, messages and meetings, one after the other
  kNetwork = 1,    ///< who straggles, which edges are slow, who dies
  kTorn = 2,       ///< which meetings break
  kObjective = 3,  ///< optima, labels, held-out data
  kGradients = 4,
  kStart = 5,  ///< of pure gossip: where the workers start
  kTrial = 6,  ///< of measured constants
};

/// By seed_seq: seeds that differ in a bit give streams that differ in half of theirs.
inline std::uint64_t seed_of(std::uint64_t seed, Purpose purpose) {
  std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                         static_cast<std::uint32_t>(purpose)};
  std::uint32_t words[2];
  sequence.generate(words, words + 2);
  return static_cast<std::uint64_t>(words[1]) << 32 | words[0];
}
inline Random stream(std::uint64_t seed, Purpose purpose) {
  return Random(seed_of(seed, purpose));
}

}  // namespace duet::simulation
