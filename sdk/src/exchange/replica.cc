#include "exchange/replica.h"

#include <algorithm>
#include <functional>
#include <string>

#include "device/registry.h"
#include "duet/error.h"
#include "dynamics/passes.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr std::size_t kElementsPerCacheLine = 64 / sizeof(float);

std::size_t padded(std::size_t elements) {
  return (elements + kElementsPerCacheLine - 1) / kElementsPerCacheLine * kElementsPerCacheLine;
}

std::string describe(const std::vector<Buffer>& buffers, std::size_t index) {
  const Buffer& buffer = buffers[index];
  return buffer.name.empty() ? fmt::format("buffer {} of {}", index, buffers.size())
                             : fmt::format("buffer {} of {} (\"{}\")", index, buffers.size(), buffer.name);
}

void check(const std::vector<Buffer>& buffers) {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& buffer = buffers[i];
    if (buffer.every < 0) {
      throw ConfigurationError(
          fmt::format("{} is to be averaged in every {}th meeting: say 1 or more, or 0 for none",
                      describe(buffers, i), buffer.every));
    }
    if (buffer.count == 0) continue;
    if (buffer.data == nullptr) {
      throw ConfigurationError(fmt::format("{} has {} elements, but its data pointer is null",
                                           describe(buffers, i), buffer.count));
    }
    if (reinterpret_cast<std::uintptr_t>(buffer.data) % size_of(buffer.dtype) != 0) {
      throw ConfigurationError(fmt::format("{} begins at {}, which is no multiple of {} bytes: align it",
                                           describe(buffers, i), buffer.data, size_of(buffer.dtype)));
    }
  }
}

/// Two buffers over the same memory would take every correction twice.
void check_disjoint(const std::vector<Buffer>& buffers) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].count > 0) order.push_back(i);
  }
  const auto begin = [&](std::size_t i) { return static_cast<const std::byte*>(buffers[i].data); };
  const auto bytes = [&](std::size_t i) { return buffers[i].count * size_of(buffers[i].dtype); };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::less<>()(begin(a), begin(b)); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (std::less<>()(begin(order[i]), begin(order[i - 1]) + bytes(order[i - 1]))) {
      throw ConfigurationError(
          fmt::format("{} and {} share memory: every parameter must be in one buffer only",
                      describe(buffers, std::min(order[i - 1], order[i])),
                      describe(buffers, std::max(order[i - 1], order[i]))));
    }
  }
}

/// Whether `next` goes on where `count` elements from `first` end, in x and in d.
bool follows(const Block& first, std::size_t count, const Block& next) {
  return next.part == first.part && next.x.dtype == first.x.dtype && next.d == first.d + count &&
         next.x.data == first.x.from(count).data;
}

}  // namespace

Replica::Replica(const std::vector<Buffer>& buffers, bool momentum, std::size_t block_bytes)
    : momentum_(momentum) {
  check(buffers);
  check_disjoint(buffers);
  const std::size_t most = block_bytes / sizeof(float);
  if (most == 0) {
    throw ConfigurationError(fmt::format(
        "a block of {} bytes holds no element: block_bytes must be at least {}", block_bytes, sizeof(float)));
  }
  for (const Buffer& buffer : buffers)
    elements_ += buffer.count;
  if (elements_ == 0) {
    throw ConfigurationError(
        buffers.empty()
            ? std::string("no buffers were handed in: there are no parameters to train")
            : fmt::format("all {} buffers are empty: there are no parameters to train", buffers.size()));
  }
  open_devices(buffers);
  cut(buffers, most);
  passages_ = std::make_unique<Passages>(parts_, largest_block_);
}

// What is enqueued on devices ends before any of their memory goes.
Replica::~Replica() {
  parts_.clear();
}

void Replica::open_devices(const std::vector<Buffer>& buffers) {
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& buffer = buffers[i];
    if (buffer.device == DeviceKind::kHost || buffer.count == 0) continue;
    DevicePart* part = part_of(buffer);
    if (part == nullptr) {
      auto opened = device::open(buffer.device, buffer.device_index);
      parts_.push_back(std::make_unique<DevicePart>(std::move(opened), buffer.stream));
      part = parts_.back().get();
    }
    if (part->trainer_stream().handle() != buffer.stream) {
      throw ConfigurationError(
          fmt::format("{} names another stream than the buffers before it on {}: all buffers of a device are "
                      "worked on in the order of one",
                      describe(buffers, i), part->device().name()));
    }
    const auto* const last =
        static_cast<const std::byte*>(buffer.data) + buffer.count * size_of(buffer.dtype) - 1;
    if (!part->device().owns(buffer.data) || !part->device().owns(last)) {
      throw ConfigurationError(fmt::format("{} ({} elements at {}) is not in the memory of {}",
                                           describe(buffers, i), buffer.count, buffer.data,
                                           part->device().name()));
    }
  }
}

DevicePart* Replica::part_of(const Buffer& buffer) const {
  for (const auto& part : parts_) {
    if (buffer.device != DeviceKind::kHost && part->device().index() == buffer.device_index)
      return part.get();
  }
  return nullptr;
}

void Replica::cut(const std::vector<Buffer>& buffers, std::size_t most) {
  homes_.resize(1 + parts_.size());
  const auto home_of = [this](const DevicePart* part) -> Home& {
    std::size_t at = 0;
    while (part != nullptr && parts_[at++].get() != part) {
    }
    return homes_[at];
  };
  for (const Buffer& buffer : buffers)
    home_of(part_of(buffer)).padded_elements += padded(buffer.count);
  for (std::size_t i = 0; i < homes_.size(); ++i) {
    const std::size_t bytes = homes_[i].padded_elements * sizeof(float);
    const auto allocated = [&](const char* purpose) -> device::Bytes {
      if (bytes == 0) return nullptr;
      if (i > 0) return parts_[i - 1]->device().allocate(bytes, purpose);
      return allocate_bytes(bytes, purpose);
    };
    homes_[i].d = allocated("the pending correction d");
    if (momentum_) homes_[i].z = allocated("the momentum z");
  }

  std::vector<Block> statistics;
  std::vector<std::size_t> padded_offsets(homes_.size());
  std::size_t offset = 0;
  for (const Buffer& buffer : buffers) {
    const bool parameters = buffer.role == BufferRole::kParameters;
    DevicePart* const part = part_of(buffer);
    Home& home = home_of(part);
    std::size_t& padded_offset = padded_offsets[static_cast<std::size_t>(&home - homes_.data())];
    auto* const d = reinterpret_cast<float*>(home.d.get());
    auto* const z = reinterpret_cast<float*>(home.z.get());
    for (std::size_t first = 0; first < buffer.count; first += most) {
      Block block;
      block.x = dynamics::Elements(buffer.data, buffer.dtype).from(first);
      block.d = d + padded_offset + first;
      block.z = momentum_ && parameters ? z + padded_offset + first : nullptr;
      block.count = std::min(most, buffer.count - first);
      block.offset = offset + first;
      block.role = buffer.role;
      block.every = buffer.every;
      block.part = part;
      largest_block_ = std::max(largest_block_, block.count);
      (parameters ? blocks_ : statistics).push_back(block);
    }
    offset += buffer.count;
    padded_offset += padded(buffer.count);
  }
  parameter_blocks_ = blocks_.size();
  blocks_.insert(blocks_.end(), statistics.begin(), statistics.end());
  pending_.assign(blocks_.size(), 0);
}

void Replica::enter_trainer() {
  gate_.enter_trainer();
  try {
    for (const auto& part : parts_)
      part->trainer_enters();
  } catch (...) {
    gate_.leave_trainer();
    throw;
  }
}

void Replica::leave_trainer() {
  try {
    for (const auto& part : parts_)
      part->trainer_leaves();
  } catch (...) {
    gate_.leave_trainer();
    throw;
  }
  gate_.leave_trainer();
}

void Replica::leave_communication() {
  try {
    for (const auto& part : parts_)
      part->communication_leaves();
  } catch (...) {
    gate_.leave_communication();
    throw;
  }
  gate_.leave_communication();
}

void Replica::abandon_communication_turn() noexcept {
  try {
    leave_communication();
  } catch (const std::exception& error) {
    support::error("{}", error.what());
  }
}

void Replica::hand_over() {
  if (parts_.empty()) return;
  enter_trainer();
  leave_trainer();
}

void Replica::take_back() {
  if (parts_.empty()) return;
  enter_trainer();
  leave_trainer();
}

void Replica::set_stream(int device_index, void* stream) {
  for (const auto& part : parts_) {
    if (part->device().index() != device_index) continue;
    // Its events are read behind the gate.
    enter_trainer();
    try {
      part->set_trainer_stream(stream);
    } catch (...) {
      gate_.leave_trainer();
      throw;
    }
    leave_trainer();
    return;
  }
  throw ConfigurationError(fmt::format(
      "a stream was given for the device cuda:{}, where no buffer of this worker is", device_index));
}

void Replica::set_pending() {
  std::fill(pending_.begin(), pending_.end(), static_cast<unsigned char>(1));
  any_pending_ = true;
}

void Replica::set_pending(std::size_t index) {
  pending_[index] = 1;
  any_pending_ = true;
}

void Replica::deliver() {
  if (!any_pending_) return;
  for (std::size_t i = 0; i < blocks_.size();) {
    if (pending_[i] == 0) {
      ++i;
      continue;
    }
    const Block& first = blocks_[i];
    std::size_t count = first.count;
    pending_[i] = 0;
    ++i;
    // On a device one launch for all blocks in a row: enqueueing costs more than a small pass.
    while (first.part != nullptr && i < blocks_.size() && pending_[i] != 0 &&
           follows(first, count, blocks_[i])) {
      count += blocks_[i].count;
      pending_[i] = 0;
      ++i;
    }
    if (first.part == nullptr) {
      dynamics::deliver(first.x, first.d, count);
    } else {
      first.part->trainer_stream().deliver(first.x, first.d, count);
    }
  }
  any_pending_ = false;
}

void Replica::clear_pending() {
  std::fill(pending_.begin(), pending_.end(), static_cast<unsigned char>(0));
  any_pending_ = false;
}

}  // namespace duet::exchange
