#include "exchange/replica.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

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
    if (buffer.dtype != DType::kFloat32) {
      throw ConfigurationError(
          describe(buffers, i) +
          " is not float32: parameters are kept in float32 (the wire may be narrower); hand in "
          "the optimizer's float32 master copy");
    }
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
    if (reinterpret_cast<std::uintptr_t>(buffer.data) % alignof(float) != 0) {
      throw ConfigurationError(fmt::format("{} begins at {}, which is no multiple of {} bytes: align it",
                                           describe(buffers, i), buffer.data, alignof(float)));
    }
  }
}

/// Two buffers over the same memory would take every correction twice.
void check_disjoint(const std::vector<Buffer>& buffers) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].count > 0) order.push_back(i);
  }
  const auto begin = [&](std::size_t i) { return static_cast<const float*>(buffers[i].data); };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::less<>()(begin(a), begin(b)); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (std::less<>()(begin(order[i]), begin(order[i - 1]) + buffers[order[i - 1]].count)) {
      throw ConfigurationError(
          fmt::format("{} and {} share memory: every parameter must be in one buffer only",
                      describe(buffers, std::min(order[i - 1], order[i])),
                      describe(buffers, std::max(order[i - 1], order[i]))));
    }
  }
}

}  // namespace

Replica::Replica(const std::vector<Buffer>& buffers, bool momentum, std::size_t block_bytes) {
  check(buffers);
  check_disjoint(buffers);
  const std::size_t most = block_bytes / sizeof(float);
  if (most == 0) {
    throw ConfigurationError(fmt::format(
        "a block of {} bytes holds no element: block_bytes must be at least {}", block_bytes, sizeof(float)));
  }
  for (const Buffer& buffer : buffers) {
    elements_ += buffer.count;
    padded_elements_ += padded(buffer.count);
  }
  if (elements_ == 0) {
    throw ConfigurationError(
        buffers.empty()
            ? std::string("no buffers were handed in: there are no parameters to train")
            : fmt::format("all {} buffers are empty: there are no parameters to train", buffers.size()));
  }
  d_ = allocate<float>(padded_elements_, "the pending correction d");
  if (momentum) z_ = allocate<float>(padded_elements_, "the momentum z");

  std::vector<Block> statistics;
  std::size_t offset = 0;
  std::size_t padded_offset = 0;
  for (const Buffer& buffer : buffers) {
    const bool parameters = buffer.role == BufferRole::kParameters;
    for (std::size_t first = 0; first < buffer.count; first += most) {
      Block block;
      block.x = static_cast<float*>(buffer.data) + first;
      block.d = d_.get() + padded_offset + first;
      block.z = momentum && parameters ? z_.get() + padded_offset + first : nullptr;
      block.count = std::min(most, buffer.count - first);
      block.offset = offset + first;
      block.role = buffer.role;
      block.every = buffer.every;
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

Replica::~Replica() = default;

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
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (pending_[i] == 0) continue;
    dynamics::deliver(blocks_[i].x, blocks_[i].d, blocks_[i].count);
    pending_[i] = 0;
  }
  any_pending_ = false;
}

void Replica::clear_corrections() {
  std::memset(d_.get(), 0, padded_elements_ * sizeof(float));
  if (z_ != nullptr) std::memset(z_.get(), 0, padded_elements_ * sizeof(float));
  std::fill(pending_.begin(), pending_.end(), static_cast<unsigned char>(0));
  any_pending_ = false;
}

}  // namespace duet::exchange
