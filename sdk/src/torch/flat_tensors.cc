#include "torch/flat_tensors.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "duet/error.h"

namespace duet::torch {
namespace {

constexpr std::int64_t kAlignment = 64 / sizeof(float);

std::string describe(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.dtype().name() << ' ' << tensor.sizes() << " on " << tensor.device();
  return text.str();
}

void require_supported(const std::string& name, const at::Tensor& tensor) {
  if (tensor.layout() == at::kStrided && tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat)
    return;
  throw ConfigurationError(
      "parameter '" + name + "' is " + describe(tensor) + (tensor.is_sparse() ? " (sparse)" : "") +
      ": Duet trains dense float32 parameters on the CPU; convert the model before the Trainer is "
      "made, e.g. model->to(torch::kCPU, torch::kFloat32)");
}

// The memory between a tensor's first and last element, for finding tensors that overlap.
std::pair<std::uintptr_t, std::uintptr_t> extent(const at::Tensor& tensor) {
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  std::int64_t last = 0;
  for (std::int64_t i = 0; i < tensor.dim(); ++i)
    last += (tensor.size(i) - 1) * tensor.stride(i);
  return {begin, begin + static_cast<std::uintptr_t>(last + 1) * sizeof(float)};
}

// A dense tensor keeps its order in memory (channels_last is faster for some models); any other becomes
// contiguous.
std::vector<std::int64_t> strides_in_flat(const at::Tensor& tensor) {
  if (tensor.is_non_overlapping_and_dense()) return tensor.strides().vec();
  return tensor.contiguous().strides().vec();
}

std::int64_t aligned(std::int64_t elements) {
  return (elements + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

FlatParameters::FlatParameters(::torch::nn::Module& model, const ::torch::optim::Optimizer& optimizer) {
  const at::NoGradGuard no_grad;
  std::unordered_set<const c10::TensorImpl*> seen;
  std::map<std::uintptr_t, std::size_t> by_address;  // first byte → slot
  std::ostringstream schema;
  std::int64_t total = 0;

  for (const auto& item : model.named_parameters()) {
    const at::Tensor& parameter = item.value();
    schema << item.key() << ' ' << parameter.sizes();
    if (!parameter.is_contiguous()) schema << " strides " << parameter.strides();
    schema << " float32\n";
    if (!seen.insert(parameter.unsafeGetTensorImpl()).second) continue;  // tied: one tensor under two names
    require_supported(item.key(), parameter);

    Slot slot{item.key(), parameter, total, parameter.sizes().vec(), strides_in_flat(parameter)};
    if (parameter.numel() > 0) {
      const auto [begin, end] = extent(parameter);
      const auto found = by_address.find(begin);
      if (found != by_address.end() && slots_[found->second].parameter.strides() == parameter.strides() &&
          slots_[found->second].sizes == slot.sizes) {
        slot.offset = slots_[found->second].offset;  // tied through their memory
        slots_.push_back(std::move(slot));
        continue;
      }
      for (const auto& [other_begin, index] : by_address) {
        if (begin < extent(slots_[index].parameter).second && other_begin < end) {
          throw ConfigurationError(
              "parameters '" + slots_[index].name + "' and '" + item.key() +
              "' overlap in memory without being the same tensor: they cannot be averaged apart; "
              "clone() one of them, or register the same tensor twice");
        }
      }
      by_address.emplace(begin, slots_.size());
    }
    total += aligned(parameter.numel());
    slots_.push_back(std::move(slot));
  }
  if (total == 0) {
    throw ConfigurationError(
        "the model has no parameters: nothing to train (are its layers registered with "
        "register_module()?)");
  }
  for (const auto& group : optimizer.param_groups()) {
    for (const auto& parameter : group.params()) {
      if (!seen.contains(parameter.unsafeGetTensorImpl())) {
        throw ConfigurationError(
            "the optimizer updates a tensor (" + describe(parameter) +
            ") that is none of the model's parameters and would never be averaged; register it with "
            "register_parameter(), or make the optimizer from this model's parameters()");
      }
    }
  }

  schema_ = schema.str();
  flat_ = at::zeros({total}, at::TensorOptions().dtype(at::kFloat));
  for (auto& slot : slots_) {
    const at::Tensor target = view(slot);
    target.copy_(slot.parameter);
    slot.parameter.set_data(target);
  }
}

at::Tensor FlatParameters::view(const Slot& slot) const {
  return flat_.as_strided(slot.sizes, slot.strides, slot.offset);
}

bool FlatParameters::attached(const Slot& slot) const {
  return slot.parameter.numel() == 0 ||
         slot.parameter.data_ptr() == static_cast<const float*>(flat_.data_ptr()) + slot.offset;
}

Buffer FlatParameters::buffer() {
  Buffer buffer;
  buffer.data = flat_.data_ptr();
  buffer.count = static_cast<std::size_t>(flat_.numel());
  buffer.name = "parameters";
  buffer.schema = schema_;
  return buffer;
}

void FlatParameters::check() const {
  for (const auto& slot : slots_) {
    if (attached(slot)) continue;
    throw ConfigurationError(
        "parameter '" + slot.name +
        "' was moved out of Duet's flat buffer (torch::load, to() or set_data): what it holds would "
        "not be averaged; make such changes in trainer.edit([&] { … })");
  }
}

void FlatParameters::reattach() {
  const at::NoGradGuard no_grad;
  for (auto& slot : slots_) {
    if (slot.parameter.sizes() != at::IntArrayRef(slot.sizes) || slot.parameter.scalar_type() != at::kFloat ||
        !slot.parameter.device().is_cpu()) {
      throw ConfigurationError(
          "parameter '" + slot.name + "' became " + describe(slot.parameter) +
          ": the other workers have another model; shapes, types and devices are fixed once the "
          "Trainer is made");
    }
  }
  for (auto& slot : slots_) {
    if (attached(slot)) continue;
    const at::Tensor target = view(slot);
    target.copy_(slot.parameter);
    slot.parameter.set_data(target);
  }
}

}  // namespace duet::torch
