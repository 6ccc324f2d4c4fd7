#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "duet/buffer.h"

namespace duet::torch {

/// A model's parameters as views of flat tensors, one for each device and type (float32, bf16) that there is:
/// most models need one. Every parameter begins at a multiple of 64
/// bytes, as a tensor of its own would; the elements between them are zero and stay zero.
class FlatParameters {
 public:
  /// Copies the values over and re-points the parameters. Throws ConfigurationError (duet/torch/trainer.h
  /// says when); the model is untouched then.
  FlatParameters(::torch::nn::Module& model, const ::torch::optim::Optimizer& optimizer);

  /// The flat tensors, each with the names and shapes inside as its schema.
  std::vector<Buffer> buffers() const;
  /// CUDA devices that parameters are on.
  std::vector<int> cuda_devices() const;

  /// Throws ConfigurationError that names the first parameter that is no longer a view of its flat tensor.
  void check() const;
  /// Brings parameters back that were pointed elsewhere, with the values that they have now. Throws
  /// ConfigurationError when shape, type or device changed.
  void reattach();

 private:
  // One distinct tensor. Tied parameters that share memory, but not the tensor, are two slots at one offset.
  struct Slot {
    std::string name;
    at::Tensor parameter;
    std::size_t group = 0;
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes;
    std::vector<std::int64_t> strides;
  };

  struct Group {
    c10::Device device;
    at::ScalarType type;
    std::int64_t total = 0;  // elements
    at::Tensor flat;
    std::string schema;
  };

  std::size_t group_of(const at::Tensor& parameter);
  at::Tensor view(const Slot& slot) const;
  bool attached(const Slot& slot) const;

  std::vector<Slot> slots_;
  std::vector<Group> groups_;
};

}  // namespace duet::torch
