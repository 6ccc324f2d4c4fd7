#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace duet::libfabric {

/// What a connect request says to the other side: that it is ours, and for which session. 12 bytes,
/// big-endian.
struct Greeting {
  std::uint64_t session = 0;

  static constexpr std::size_t kBytes = 12;
  static constexpr std::array<char, 4> kMagic = {'D', 'L', 'F', '1'};

  std::array<std::byte, kBytes> bytes() const {
    std::array<std::byte, kBytes> result{};
    std::memcpy(result.data(), kMagic.data(), kMagic.size());
    for (std::size_t index = 0; index < 8; ++index) {
      result[4 + index] = static_cast<std::byte>(session >> (56 - 8 * index));
    }
    return result;
  }

  static std::optional<Greeting> parse(std::span<const std::byte> data) {
    if (data.size() < kBytes || std::memcmp(data.data(), kMagic.data(), kMagic.size()) != 0) {
      return std::nullopt;
    }
    Greeting greeting;
    for (std::size_t index = 0; index < 8; ++index) {
      greeting.session = greeting.session << 8 | std::to_integer<std::uint64_t>(data[4 + index]);
    }
    return greeting;
  }
};

}  // namespace duet::libfabric
