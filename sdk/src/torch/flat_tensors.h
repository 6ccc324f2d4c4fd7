#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "duet/buffer.h"

namespace duet::torch {

/// A model's parameters as views of one flat float32 tensor. Every parameter begins at a multiple of 64
/// bytes, as a tensor of its own would; the elements between them are zero and stay zero.
class FlatParameters {
 public:
  /// Copies the values over and re-points the parameters. Throws ConfigurationError (duet/torch/trainer.h
  /// says when); the model is untouched then.
  FlatParameters(::torch::nn::Module& model, const ::torch::optim::Optimizer& optimizer);

  /// The flat tensor, with the names and shapes inside as its schema.
  Buffer buffer();
  const at::Tensor& flat() const { return flat_; }

  /// Throws ConfigurationError that names the first parameter that is no longer a view of the flat tensor.
  void check() const;
  /// Brings parameters back that were pointed elsewhere, with the values that they have now. Throws
  /// ConfigurationError when shape, type or device changed.
  void reattach();

 private:
  // One distinct tensor. Tied parameters that share memory, but not the tensor, are two slots at one offset.
  struct Slot {
    std::string name;
    at::Tensor parameter;
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes;
    std::vector<std::int64_t> strides;
  };

  at::Tensor view(const Slot& slot) const;
  bool attached(const Slot& slot) const;

  std::vector<Slot> slots_;
  at::Tensor flat_;
  std::string schema_;
};

}  // namespace duet::torch
