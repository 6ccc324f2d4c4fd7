#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace duet::support {

/// What is wrong with bytes that came from outside. Thrown while they are read, inside decode_untrusted()
/// only.
struct Invalid {
  std::string reason;
};

template <typename Enum>
Enum read_enum(std::uint8_t value, Enum last, const char* what) {
  if (value > static_cast<std::uint8_t>(last))
    throw Invalid{std::string(what) + " is " + std::to_string(value)};
  return static_cast<Enum>(value);
}

/// How many elements a FlatBuffers vector has; none where there is no vector. alignment: of its elements.
template <typename Vector>
std::size_t checked_size(const Vector* vector, std::size_t largest, const char* what,
                         std::size_t alignment = 1) {
  if (vector == nullptr) return 0;
  if (vector->size() > largest) {
    throw Invalid{std::string(what) + " has " + std::to_string(vector->size()) + " elements (at most " +
                  std::to_string(largest) + ")"};
  }
  // The verifier looks at where a vector's length lies, not at its elements. (Of none nothing is aligned.)
  if (vector->size() > 0 && reinterpret_cast<std::uintptr_t>(vector->Data()) % alignment != 0)
    throw Invalid{"it is damaged"};
  return vector->size();
}

/// Throws std::length_error: what we were about to write would be refused by everyone. kind: "a telemetry
/// frame".
inline void require_size(const char* kind, std::size_t size, std::size_t largest, const char* what) {
  if (size > largest) {
    throw std::length_error(std::string(kind) + " cannot carry " + what + " of size " + std::to_string(size) +
                            " (at most " + std::to_string(largest) + ")");
  }
}

/// read(data, size), with the bytes aligned for the widest field, copied if need be. nullopt, and *reason:
/// empty, longer than `largest`, or what `read` found Invalid. kind, noun: "a telemetry frame" of which each
/// is a "frame".
template <class Read>
auto decode_untrusted(std::string_view bytes, std::size_t largest, const char* kind, const char* noun,
                      std::string* reason, Read&& read)
    -> std::optional<decltype(read(std::declval<const std::uint8_t*>(), std::size_t{}))> {
  try {
    if (bytes.empty()) throw Invalid{"it is empty"};
    if (bytes.size() > largest) throw Invalid{std::string("it is longer than any ") + noun + " may be"};
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(std::uint64_t) == 0) return read(data, bytes.size());
    std::vector<std::uint64_t> aligned((bytes.size() + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    return read(reinterpret_cast<const std::uint8_t*>(aligned.data()), bytes.size());
  } catch (const Invalid& invalid) {
    if (reason != nullptr) *reason = std::string(kind) + " was refused: " + invalid.reason;
    return std::nullopt;
  }
}

}  // namespace duet::support
