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

constexpr std::int64_t kAlignmentBytes = 64;

std::string describe(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.dtype().name() << ' ' << tensor.sizes() << " on " << tensor.device();
  return text.str();
}

void require_supported(const std::string& name, const at::Tensor& tensor) {
  const bool here = tensor.device().is_cpu() || tensor.device().is_cuda();
  const bool type = tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16;
  if (tensor.layout() == at::kStrided && here && type) return;
  throw ConfigurationError(
      "parameter '" + name + "' is " + describe(tensor) + (tensor.is_sparse() ? " (sparse)" : "") +
      ": Duet trains dense float32 (or bfloat16) parameters on the CPU or on CUDA devices; convert the model "
      "before the Trainer is made, e.g. model->to(torch::kFloat32)");
}

// The memory between a tensor's first and last element, for finding tensors that overlap.
std::pair<std::uintptr_t, std::uintptr_t> extent(const at::Tensor& tensor) {
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  std::int64_t last = 0;
  for (std::int64_t i = 0; i < tensor.dim(); ++i)
    last += (tensor.size(i) - 1) * tensor.stride(i);
  return {begin, begin + static_cast<std::uintptr_t>(last + 1) * tensor.element_size()};
}

// A dense tensor keeps its order in memory (channels_last is faster for some models); any other becomes
// contiguous.
std::vector<std::int64_t> strides_in_flat(const at::Tensor& tensor) {
  if (tensor.is_non_overlapping_and_dense()) return tensor.strides().vec();
  return tensor.contiguous().strides().vec();
}

std::int64_t aligned(std::int64_t elements, at::ScalarType type) {
  const std::int64_t line = kAlignmentBytes / static_cast<std::int64_t>(c10::elementSize(type));
  return (elements + line - 1) / line * line;
}

}  // namespace

FlatParameters::FlatParameters(::torch::nn::Module& model, const ::torch::optim::Optimizer& optimizer) {
  const at::NoGradGuard no_grad;
  std::unordered_set<const c10::TensorImpl*> seen;
  std::map<std::uintptr_t, std::size_t> by_address;  // first byte → slot
  const auto schema_line = [](const std::string& name, const at::Tensor& parameter) {
    std::ostringstream line;
    line << name << ' ' << parameter.sizes();
    if (!parameter.is_contiguous()) line << " strides " << parameter.strides();
    line << (parameter.scalar_type() == at::kBFloat16 ? " bfloat16\n" : " float32\n");
    return line.str();
  };

  for (const auto& item : model.named_parameters()) {
    const at::Tensor& parameter = item.value();
    const bool fresh = seen.insert(parameter.unsafeGetTensorImpl()).second;
    if (fresh) require_supported(item.key(), parameter);
    const std::size_t at = group_of(parameter);
    Group& group = groups_[at];
    group.schema += schema_line(item.key(), parameter);
    if (!fresh) continue;  // tied: one tensor under two names

    Slot slot{item.key(), parameter, at, group.total, parameter.sizes().vec(), strides_in_flat(parameter)};
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
    group.total += aligned(parameter.numel(), group.type);
    slots_.push_back(std::move(slot));
  }
  if (std::all_of(groups_.begin(), groups_.end(), [](const Group& group) { return group.total == 0; })) {
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

  for (Group& group : groups_) {
    group.flat = at::zeros({group.total}, at::TensorOptions().dtype(group.type).device(group.device));
  }
  for (auto& slot : slots_) {
    const at::Tensor target = view(slot);
    target.copy_(slot.parameter);
    slot.parameter.set_data(target);
  }
}

std::size_t FlatParameters::group_of(const at::Tensor& parameter) {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].device == parameter.device() && groups_[i].type == parameter.scalar_type()) return i;
  }
  groups_.push_back({parameter.device(), parameter.scalar_type(), 0, {}, {}});
  return groups_.size() - 1;
}

at::Tensor FlatParameters::view(const Slot& slot) const {
  return groups_[slot.group].flat.as_strided(slot.sizes, slot.strides, slot.offset);
}

bool FlatParameters::attached(const Slot& slot) const {
  const at::Tensor& flat = groups_[slot.group].flat;
  const auto* const begin = static_cast<const std::byte*>(flat.data_ptr());
  return slot.parameter.numel() == 0 ||
         slot.parameter.data_ptr() == begin + static_cast<std::size_t>(slot.offset) * flat.element_size();
}

std::vector<Buffer> FlatParameters::buffers() const {
  std::vector<Buffer> buffers;
  for (const Group& group : groups_) {
    Buffer buffer;
    buffer.data = group.flat.data_ptr();
    buffer.count = static_cast<std::size_t>(group.total);
    buffer.dtype = group.type == at::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
    // Not by where it is: workers on different devices train the same model.
    buffer.name = groups_.size() == 1 ? "parameters" : "parameters " + std::to_string(buffers.size());
    buffer.schema = group.schema;
    if (group.device.is_cuda()) {
      buffer.device = DeviceKind::kCuda;
      buffer.device_index = group.device.index();
    }
    buffers.push_back(std::move(buffer));
  }
  return buffers;
}

std::vector<int> FlatParameters::cuda_devices() const {
  std::vector<int> devices;
  for (const Group& group : groups_) {
    const int index = group.device.index();
    if (group.device.is_cuda() && std::find(devices.begin(), devices.end(), index) == devices.end())
      devices.push_back(index);
  }
  return devices;
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
    const Group& group = groups_[slot.group];
    if (slot.parameter.sizes() != at::IntArrayRef(slot.sizes) || slot.parameter.scalar_type() != group.type ||
        slot.parameter.device() != group.device) {
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
