#pragma once

#include <torch/nn/module.h>

#include <memory>

namespace samples {

/// A network that says which class its input is of: one row of scores, one score per class, for every image,
/// or for every character of a text.
class Classifier : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& input) = 0;
};

/// Two 3×3 convolutions, 16 and 32 channels, each halved by pooling, and a linear layer: 6,090 parameters,
/// 8×8 images.
std::shared_ptr<Classifier> make_digits_net();

/// ResNet-18 as used for 32×32 images (He et al. 2016; a first convolution of 3×3 and no pooling after
/// it): 11.2 M parameters.
std::shared_ptr<Classifier> make_resnet18();

}  // namespace samples
