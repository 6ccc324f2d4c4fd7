#include "torch/statistics.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <sstream>
#include <unordered_set>

namespace duet::torch {
namespace {

bool averageable(const at::Tensor& buffer) {
  return buffer.layout() == at::kStrided && buffer.is_floating_point() && buffer.numel() > 0 &&
         at::isfinite(buffer).all().item<bool>();
}

}  // namespace

Statistics::Statistics(const ::torch::nn::Module& model) {
  const at::NoGradGuard no_grad;
  std::unordered_set<const c10::TensorImpl*> seen;
  std::ostringstream schema;
  std::int64_t total = 0;
  for (const auto& item : model.named_buffers()) {
    const at::Tensor& buffer = item.value();
    if (!averageable(buffer) || !seen.insert(buffer.unsafeGetTensorImpl()).second) continue;
    schema << item.key() << ' ' << buffer.sizes() << ' ' << buffer.dtype().name() << '\n';
    entries_.push_back({buffer, total});
    total += buffer.numel();
  }
  schema_ = schema.str();
  if (entries_.empty()) return;
  // Where they all are, or else on the CPU.
  c10::Device device = entries_.front().tensor.device();
  for (const auto& entry : entries_) {
    if (entry.tensor.device() != device) device = c10::Device(c10::DeviceType::CPU);
  }
  if (!device.is_cuda()) device = c10::Device(c10::DeviceType::CPU);
  flat_ = at::empty({total}, at::TensorOptions().dtype(at::kFloat).device(device));
  last_ = gather();
  flat_.copy_(last_);
}

Buffer Statistics::buffer(int every) {
  Buffer buffer;
  buffer.data = flat_.data_ptr();
  buffer.count = static_cast<std::size_t>(flat_.numel());
  buffer.name = "statistics";
  buffer.schema = schema_;
  buffer.role = BufferRole::kStatistics;
  buffer.every = every;
  if (flat_.device().is_cuda()) {
    buffer.device = DeviceKind::kCuda;
    buffer.device_index = flat_.device().index();
  }
  return buffer;
}

at::Tensor Statistics::gather() const {
  at::Tensor values = at::empty_like(flat_);
  for (const auto& entry : entries_) {
    values.narrow(0, entry.offset, entry.tensor.numel()).view(entry.tensor.sizes()).copy_(entry.tensor);
  }
  return values;
}

void Statistics::pull() {
  if (empty()) return;
  const at::NoGradGuard no_grad;
  at::Tensor current = gather();
  flat_.copy_(at::where(flat_ == last_, current, flat_ + (current - last_)));
  last_ = std::move(current);
}

void Statistics::push() {
  if (empty()) return;
  const at::NoGradGuard no_grad;
  for (auto& entry : entries_) {
    entry.tensor.copy_(flat_.narrow(0, entry.offset, entry.tensor.numel()).view(entry.tensor.sizes()));
  }
  last_ = gather();
}

}  // namespace duet::torch
