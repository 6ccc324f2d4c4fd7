#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <vector>

#include "duet/buffer.h"

namespace duet::torch {

/// A model's floating-point buffers (batch-norm statistics), copied to and from one flat float32 tensor, on
/// the device that they are on. Copies, not views: forward passes write them at any time, and the
/// communication thread must read what nobody writes.
class Statistics {
 public:
  explicit Statistics(const ::torch::nn::Module& model);

  bool empty() const { return entries_.empty(); }
  /// The flat tensor. Not for an empty one.
  Buffer buffer(int every);
  const at::Tensor& flat() const { return flat_; }

  /// Adds what forward passes changed since the last pull() or push() to the flat tensor, as an optimizer
  /// adds its update: what meetings brought meanwhile is kept. Where they brought nothing, the flat tensor is
  /// the model's value exactly.
  void pull();
  /// The flat tensor's values become the model's.
  void push();

 private:
  struct Entry {
    at::Tensor tensor;
    std::int64_t offset = 0;
  };

  at::Tensor gather() const;

  std::vector<Entry> entries_;
  at::Tensor flat_;
  at::Tensor last_;  ///< the model's values at the last pull() or push()
  std::string schema_;
};

}  // namespace duet::torch
