#include "frame.h"

namespace duet::nccl {
namespace {

constexpr std::uint64_t kMagic = 0x314c4e44;  // "DNL1"

}  // namespace

Frame::Bytes Frame::encode() const {
  Bytes bytes{};
  ByteWriter to(bytes.data());
  to.number(kMagic, 4);
  to.number(static_cast<std::uint32_t>(kind), 4);
  to.number(first);
  to.number(second);
  to.number(third);
  to.raw(secret.data(), secret.size());
  to.raw(process.data(), process.size());
  to.raw(gpu.data(), gpu.size());
  return bytes;
}

std::optional<Frame> Frame::decode(const unsigned char* bytes) {
  ByteReader from(bytes);
  if (from.number(4) != kMagic) return std::nullopt;
  const std::uint64_t kind = from.number(4);
  if (kind < static_cast<std::uint64_t>(FrameKind::kHello) ||
      kind > static_cast<std::uint64_t>(FrameKind::kGoodbye)) {
    return std::nullopt;
  }
  Frame frame;
  frame.kind = static_cast<FrameKind>(kind);
  frame.first = from.number();
  frame.second = from.number();
  frame.third = from.number();
  from.raw(frame.secret.data(), frame.secret.size());
  from.raw(frame.process.data(), frame.process.size());
  from.raw(frame.gpu.data(), frame.gpu.size());
  return frame;
}

}  // namespace duet::nccl
