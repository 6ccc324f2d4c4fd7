#include "exchange/block_work.h"

#include <cmath>
#include <cstring>

#include "dynamics/passes.h"

namespace duet::exchange {
namespace {

constexpr const char* kNotFinite =
    "it, or this worker's own parameters there, hold values that are not finite: one of the two has diverged";

std::byte* payload(const Slot& slot) {
  return slot.data.get() + kBlockHeaderBytes;
}
std::byte* payload(const DeviceSlot& slot) {
  return slot.memory.get() + kBlockHeaderBytes;
}

}  // namespace

void BlockWork::snapshot(const Block& block, const BlockHeader& header, Slot& own, float c) const {
  if (block.part == nullptr) {
    dynamics::snapshot(block.x, block.d, block.z, payload(own), wire_, block.count, c);
    return;
  }
  DeviceSlot& there = own.on(block.part);
  device::Stream& passes = block.part->passes();
  passes.snapshot(block.x, block.d, block.z, payload(there), wire_, block.count, c);
  if (staging_.wire_on(block.part)) {
    seal_header(header, token_, own.data.get());
    passes.copy(there.memory.get(), own.data.get(), kBlockHeaderBytes, device::Direction::kToDevice);
    there.moved.record(passes);
    return;
  }
  there.moved.record(passes);
  device::Stream& outgoing = block.part->outgoing();
  outgoing.wait(there.moved);
  outgoing.copy(payload(own), payload(there), header.payload_bytes, device::Direction::kToHost);
  there.moved.record(outgoing);
}

bool BlockWork::sealed(const Block& block, const BlockHeader& header, Slot& own) const {
  if (block.part != nullptr) {
    if (!own.on(block.part).moved.done()) return false;
    if (staging_.wire_on(block.part)) return true;
  }
  seal_block(header, token_, own.data.get());
  return true;
}

bool BlockWork::receivable(const Block& block, Slot& peers) const {
  return !staging_.wire_on(block.part) || peers.on(block.part).applied.done();
}

std::string BlockWork::begin_check(const Block& block, const BlockHeader& header, Slot& own,
                                   Slot& peers) const {
  const bool on_device = staging_.wire_on(block.part);
  if (!on_device) {
    BlockHeader found;
    std::string wrong =
        open_block(peers.data.get(), peers.bytes, header, token_, found, staging_.integrity());
    if (!wrong.empty()) return wrong;
  }
  double* const distance = reinterpret_cast<double*>(peers.data.get() + staging_.distance_at());
  if (block.part == nullptr) {
    *distance = dynamics::squared_distance(payload(own), payload(peers), wire_, block.count);
    return {};
  }
  DeviceSlot& mine = own.on(block.part);
  DeviceSlot& theirs = peers.on(block.part);
  device::Stream& incoming = block.part->incoming();
  auto* const sum = reinterpret_cast<double*>(theirs.memory.get() + staging_.distance_at());
  if (on_device) {
    incoming.copy(peers.data.get(), theirs.memory.get(), kBlockHeaderBytes, device::Direction::kToHost);
  } else {
    // Whoever read there before has done so: this block's snapshot, which has arrived, was behind it on
    // passes().
    incoming.copy(payload(theirs), payload(peers), header.payload_bytes, device::Direction::kToDevice);
  }
  incoming.clear(sum, sizeof *sum);
  incoming.squared_distance(payload(mine), payload(theirs), wire_, block.count, sum);
  incoming.copy(distance, sum, sizeof *sum, device::Direction::kToHost);
  theirs.moved.record(incoming);
  mine.moved.record(incoming);
  return {};
}

RejectReason reason_of_refusal(const std::string& wrong) {
  if (wrong == kNotFinite) return RejectReason::kNonFinite;
  return is_checksum_mismatch(wrong) ? RejectReason::kChecksum : RejectReason::kHeader;
}

BlockWork::Checked BlockWork::check(const Block& block, const BlockHeader& header, Slot& peers) const {
  Checked checked;
  if (block.part != nullptr) {
    if (!peers.on(block.part).moved.done()) return checked;
    if (staging_.wire_on(block.part)) {
      BlockHeader found;
      checked.wrong = open_header(peers.data.get(), peers.bytes, header, token_, found);
    }
  }
  std::memcpy(&checked.squared_distance, peers.data.get() + staging_.distance_at(),
              sizeof checked.squared_distance);
  if (checked.wrong.empty() && !std::isfinite(checked.squared_distance)) checked.wrong = kNotFinite;
  checked.verdict = checked.wrong.empty() ? Verdict::kGood : Verdict::kBad;
  return checked;
}

void BlockWork::apply(const Block& block, Slot& own, Slot& peers, float alpha, float beta) const {
  if (block.part == nullptr) {
    dynamics::apply(block.d, block.z, payload(own), payload(peers), wire_, block.count, alpha, beta);
    return;
  }
  DeviceSlot& mine = own.on(block.part);
  DeviceSlot& theirs = peers.on(block.part);
  device::Stream& passes = block.part->passes();
  passes.apply(block.d, block.z, payload(mine), payload(theirs), wire_, block.count, alpha, beta);
  mine.applied.record(passes);
  theirs.applied.record(passes);
}

void BlockWork::mix(const Block& block, float c) {
  if (block.part == nullptr) {
    dynamics::mix(block.d, block.z, block.count, c);
  } else {
    block.part->passes().mix(block.d, block.z, block.count, c);
  }
}

}  // namespace duet::exchange
