#pragma once

#include <torch/nn/init.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>

namespace samples {

/// A residual network's: without bias, as batch-norm follows; "same" padding; He's initialisation.
inline torch::nn::Conv2d convolution(std::int64_t from, std::int64_t to, std::int64_t size,
                                     std::int64_t stride) {
  torch::nn::Conv2d layer(
      torch::nn::Conv2dOptions(from, to, size).stride(stride).padding(size / 2).bias(false));
  torch::nn::init::kaiming_normal_(layer->weight, 0.0, torch::kFanOut, torch::kReLU);
  return layer;
}

}  // namespace samples
