#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace pictures {

/// What a JPEG of plain blocks is made of.
struct Shape {
  int side = 8;                  ///< pixels, of the picture
  int components = 1;            ///< 1: grey; 4: CMYK
  bool adobe = false;            ///< says in its file that Adobe's rules hold
  std::vector<int> steps = {0};  ///< from each block to the next, −3 … 3, times 16 in brightness; from 128 on
};

/// A JPEG of blocks of 8×8 pixels, each of one value. Blocks have no coefficient but the first, and the
/// tables few codes.
inline std::string jpeg(const Shape& shape = {}) {
  std::string bytes;
  const auto add = [&](std::initializer_list<int> more) {
    for (const int byte : more)
      bytes.push_back(static_cast<char>(byte));
  };
  add({0xFF, 0xD8});
  if (shape.adobe) {
    add({0xFF, 0xEE, 0x00, 0x0E});
    bytes += "Adobe";
    add({0x00, 0x64, 0x00, 0x00, 0x00, 0x00, 0x00});
  }
  add({0xFF, 0xDB, 0x00, 0x43, 0x00});  // quantisation: the first coefficient counts 8 times the brightness
  add({128});
  bytes.append(63, '\x01');
  const int high = shape.side >> 8, low = shape.side & 255;
  add({0xFF, 0xC0, 0x00, 8 + 3 * shape.components, 0x08, high, low, high, low, shape.components});
  for (int k = 1; k <= shape.components; ++k)
    add({k, 0x11, 0x00});
  // The differences' Huffman table: the codes 0, 10 and 110 say that 0, 1 or 2 bits follow.
  add({0xFF, 0xC4, 0x00, 0x16, 0x00, 1, 1, 1});
  bytes.append(13, '\0');
  add({0, 1, 2});
  // And the other coefficients': 0 says that there are none.
  add({0xFF, 0xC4, 0x00, 0x14, 0x10, 1});
  bytes.append(15, '\0');
  add({0});
  add({0xFF, 0xDA, 0x00, 6 + 2 * shape.components, shape.components});
  for (int k = 1; k <= shape.components; ++k)
    add({k, 0x00});
  add({0x00, 0x3F, 0x00});
  std::string bits;
  for (const int step : shape.steps) {
    for (int k = 0; k < shape.components; ++k) {
      switch (step) {
        case 0:
          bits += "0";
          break;
        case 1:
          bits += "101";
          break;
        case -1:
          bits += "100";
          break;
        case 2:
          bits += "11010";
          break;
        case -2:
          bits += "11001";
          break;
        case 3:
          bits += "11011";
          break;
        case -3:
          bits += "11000";
          break;
      }
      bits += "0";
    }
  }
  bits.append((8 - bits.size() % 8) % 8, '1');
  for (std::size_t k = 0; k < bits.size(); k += 8) {
    const int byte = std::stoi(bits.substr(k, 8), nullptr, 2);
    add({byte});
    if (byte == 0xFF) add({0x00});
  }
  add({0xFF, 0xD9});
  return bytes;
}

}  // namespace pictures
