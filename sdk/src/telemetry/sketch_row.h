#pragma once

#include <cstddef>
#include <cstdint>

#include "dynamics/expressions.h"

/// The randomness of a sketch's rows (sketch.h), written once for host and device. C++17.
namespace duet::telemetry {

constexpr std::size_t kSketchSize = 1024;  ///< places, and elements in a row
constexpr std::size_t kSketchStep = 16;    ///< elements with a sign word each
constexpr std::size_t kSketchGroups = 2;   ///< of a row: as many as sign bits in a word
constexpr std::size_t kStepsPerGroup = 32;
constexpr std::uint64_t kDrawsPerRow = kSketchGroups * kSketchStep / 2 + 1;
static_assert(kSketchGroups * kStepsPerGroup * kSketchStep == kSketchSize, "a row is one of each place");

/// SplitMix64's output function (Steele, Lea, Flood, 2014).
DUET_HOST_DEVICE inline std::uint64_t mix_bits(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

DUET_HOST_DEVICE inline std::uint64_t row_draw(std::uint64_t key, std::uint64_t row, std::uint64_t draw) {
  return mix_bits(key + (row * kDrawsPerRow + draw) * 0x9E3779B97F4A7C15ULL);
}

/// Element `column` of a row goes to place (column + rotation) % kSketchSize …
DUET_HOST_DEVICE inline std::size_t row_rotation(std::uint64_t key, std::uint64_t row) {
  return static_cast<std::size_t>(row_draw(key, row, kDrawsPerRow) % kSketchSize);
}

/// … with the sign that is bit 31 − (its step in its group) of this word.
DUET_HOST_DEVICE inline std::uint32_t row_signs(std::uint64_t key, std::uint64_t row, std::size_t group,
                                                std::size_t lane) {
  const std::uint64_t bits = row_draw(key, row, group * (kSketchStep / 2) + lane / 2 + 1);
  return static_cast<std::uint32_t>(lane % 2 == 0 ? bits : bits >> 32);
}

/// value, with the sign of its element.
DUET_HOST_DEVICE inline float signed_value(std::uint64_t key, std::uint64_t row, std::size_t column,
                                           float value) {
  const std::size_t group = column / (kStepsPerGroup * kSketchStep);
  const std::size_t step = column / kSketchStep % kStepsPerGroup;
  const std::uint32_t word = row_signs(key, row, group, column % kSketchStep);
  return ((word << step) & 0x80000000U) != 0 ? -value : value;
}

}  // namespace duet::telemetry
