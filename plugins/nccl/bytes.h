#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace duet::nccl {

/// A random or well-known 16-byte name: a process, a GPU, a ticket's secret.
using Id128 = std::array<unsigned char, 16>;

/// Little-endian numbers and raw bytes, one after the other, into memory that is large enough.
class ByteWriter {
 public:
  explicit ByteWriter(unsigned char* to) : begin_(to), to_(to) {}
  void number(std::uint64_t value, std::size_t bytes = 8) {
    for (std::size_t i = 0; i < bytes; ++i)
      *to_++ = static_cast<unsigned char>(value >> (8 * i));
  }
  void raw(const void* from, std::size_t bytes) {
    std::memcpy(to_, from, bytes);
    to_ += bytes;
  }
  std::size_t written() const { return static_cast<std::size_t>(to_ - begin_); }

 private:
  unsigned char* begin_;
  unsigned char* to_;
};

class ByteReader {
 public:
  explicit ByteReader(const unsigned char* from) : from_(from) {}
  std::uint64_t number(std::size_t bytes = 8) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      value |= static_cast<std::uint64_t>(*from_++) << (8 * i);
    return value;
  }
  void raw(void* to, std::size_t bytes) {
    std::memcpy(to, from_, bytes);
    from_ += bytes;
  }

 private:
  const unsigned char* from_;
};

/// FNV-1a: against mix-ups and damage, not against an adversary.
inline std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace duet::nccl
