#include "exchange/staging.h"

#include <algorithm>
#include <utility>

#include "duet/error.h"
#include "exchange/block_header.h"
#include "exchange/memory.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr const char* kPurpose = "a meeting's staging block";

std::size_t rounded_up(std::size_t bytes) {
  return (bytes + kBlockHeaderBytes - 1) / kBlockHeaderBytes * kBlockHeaderBytes;
}

transport::DeviceMemory on_device(const DeviceSlot& slot) {
  // What it holds is there, or free, before it is posted: no stream has to be waited for.
  return {slot.memory.get(), slot.part->device().index(), nullptr};
}

}  // namespace

DeviceSlot& Slot::on(const DevicePart* part) {
  return *std::find_if(on_devices.begin(), on_devices.end(),
                       [part](const DeviceSlot& slot) { return slot.part == part; });
}

bool Slot::idle() const {
  return std::all_of(on_devices.begin(), on_devices.end(),
                     [](const DeviceSlot& slot) { return slot.moved.done(); });
}

Staging::Staging(const Replica& replica, DType wire, int depth, std::uint64_t capabilities, int only_device)
    : replica_(replica),
      depth_(depth),
      integrity_((capabilities & DUET_CAPABILITY_INTEGRITY) != 0),
      wire_on_device_(integrity_ && (capabilities & DUET_CAPABILITY_CUDA_MEMORY) != 0),
      only_device_(only_device),
      distance_at_(rounded_up(kBlockHeaderBytes + replica.largest_block() * size_of(wire))) {
  if (depth < 1) {
    throw ConfigurationError(fmt::format("blocks_in_flight = {}: a meeting needs at least 1", depth));
  }
  for (int i = 0; i < 2 * depth; ++i)
    slots_.push_back(make_slot());
}

Staging::~Staging() {
  for (const auto& part : replica_.parts())
    part->settle();
}

std::unique_ptr<Slot> Staging::make_slot() const {
  auto slot = std::make_unique<Slot>();
  const std::size_t bytes = distance_at_ + kBlockHeaderBytes;
  const auto& parts = replica_.parts();
  slot->data = parts.empty() ? device::Bytes(allocate_bytes(bytes, kPurpose))
                             : parts.front()->device().allocate_pinned(bytes, kPurpose);
  for (const auto& part : parts) {
    DeviceSlot half;
    half.part = part.get();
    half.memory = part->device().allocate(bytes, kPurpose);
    half.moved = part->device().make_event();
    half.applied = part->device().make_event();
    slot->on_devices.push_back(std::move(half));
  }
  return slot;
}

void Staging::register_with(transport::Context& context) {
  for (const auto& slot : slots_)
    registrations_.push_back(context.register_memory(slot->data.get(), distance_at_ + kBlockHeaderBytes));
}

Slot* Staging::take() {
  const auto free = std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) {
    return slot->state == Slot::State::kFree && slot->idle();
  });
  if (free != slots_.end()) {
    (*free)->state = Slot::State::kHeld;
    return free->get();
  }
  if (slots_.size() >= 4 * static_cast<std::size_t>(depth_)) return nullptr;
  try {
    slots_.push_back(make_slot());
  } catch (const ConfigurationError& error) {
    // The others come back. Said once: it is as good as no spare at all.
    if (!std::exchange(no_memory_, true)) support::warning("no spare staging block: {}", error.what());
    return nullptr;
  }
  slots_.back()->state = Slot::State::kHeld;
  return slots_.back().get();
}

bool Staging::take(Slot*& first, Slot*& second) {
  Slot* one = take();
  if (one == nullptr) return false;
  Slot* two = take();
  if (two == nullptr) {
    one->state = Slot::State::kFree;
    return false;
  }
  first = one;
  second = two;
  return true;
}

void Staging::give_back(Slot& slot) {
  if (slot.state == Slot::State::kLent) {
    slot.let_go = true;
  } else {
    slot.state = Slot::State::kFree;
  }
}

transport::Completion Staging::completion(Slot& slot) {
  return [staging = shared_from_this(), &slot](duet_status status, std::uint64_t bytes) {
    slot.status = status;
    slot.bytes = bytes;
    slot.state = slot.let_go ? Slot::State::kFree : Slot::State::kDone;
    slot.let_go = false;
  };
}

bool Staging::send(transport::Connection& connection, const DevicePart* part, Slot& slot, std::uint64_t bytes,
                   std::uint64_t deadline_ns) {
  const bool posted = wire_on(part)
                          ? connection.send(on_device(slot.on(part)), bytes, deadline_ns, completion(slot))
                          : connection.send(slot.data.get(), bytes, deadline_ns, completion(slot));
  if (posted) slot.state = Slot::State::kLent;
  return posted;
}

bool Staging::receive(transport::Connection& connection, const DevicePart* part, Slot& slot,
                      std::uint64_t bytes, std::uint64_t deadline_ns) {
  const bool posted = wire_on(part)
                          ? connection.receive(on_device(slot.on(part)), bytes, deadline_ns, completion(slot))
                          : connection.receive(slot.data.get(), bytes, deadline_ns, completion(slot));
  if (posted) slot.state = Slot::State::kLent;
  return posted;
}

std::size_t Staging::lent() const {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const auto& slot) { return slot->state == Slot::State::kLent; }));
}

}  // namespace duet::exchange
