#include "exchange/staging.h"

#include <algorithm>

#include "duet/error.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr const char* kPurpose = "a meeting's staging block";

}  // namespace

Staging::Staging(std::size_t slot_bytes, int depth) : slot_bytes_(slot_bytes), depth_(depth) {
  if (depth < 1) {
    throw ConfigurationError(fmt::format("blocks_in_flight = {}: a meeting needs at least 1", depth));
  }
  for (int i = 0; i < 2 * depth; ++i) {
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->data = allocate<std::byte>(slot_bytes_, kPurpose);
  }
}

void Staging::register_with(transport::Context& context) {
  for (const auto& slot : slots_)
    registrations_.push_back(context.register_memory(slot->data.get(), slot_bytes_));
}

Slot* Staging::take() {
  const auto free = std::find_if(slots_.begin(), slots_.end(),
                                 [](const auto& slot) { return slot->state == Slot::State::kFree; });
  if (free != slots_.end()) {
    (*free)->state = Slot::State::kHeld;
    return free->get();
  }
  if (slots_.size() >= 4 * static_cast<std::size_t>(depth_)) return nullptr;
  auto spare = std::make_unique<Slot>();
  spare->data = allocate<std::byte>(slot_bytes_, kPurpose);
  spare->state = Slot::State::kHeld;
  slots_.push_back(std::move(spare));
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

bool Staging::send(transport::Connection& connection, Slot& slot, std::uint64_t bytes,
                   std::uint64_t deadline_ns) {
  if (!connection.send(slot.data.get(), bytes, deadline_ns, completion(slot))) return false;
  slot.state = Slot::State::kLent;
  return true;
}

bool Staging::receive(transport::Connection& connection, Slot& slot, std::uint64_t bytes,
                      std::uint64_t deadline_ns) {
  if (!connection.receive(slot.data.get(), bytes, deadline_ns, completion(slot))) return false;
  slot.state = Slot::State::kLent;
  return true;
}

std::size_t Staging::lent() const {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const auto& slot) { return slot->state == Slot::State::kLent; }));
}

}  // namespace duet::exchange
