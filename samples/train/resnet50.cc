#include "resnet50.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <string>
#include <vector>

#include "convolution.h"

namespace samples {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

constexpr std::int64_t kExpansion = 4;

class Bottleneck : public Classifier {
 public:
  Bottleneck(std::int64_t from, std::int64_t width, std::int64_t stride)
      : conv1_(register_module("conv1", convolution(from, width, 1, 1))),
        bn1_(register_module("bn1", nn::BatchNorm2d(width))),
        conv2_(register_module("conv2", convolution(width, width, 3, stride))),
        bn2_(register_module("bn2", nn::BatchNorm2d(width))),
        conv3_(register_module("conv3", convolution(width, kExpansion * width, 1, 1))),
        bn3_(register_module("bn3", nn::BatchNorm2d(kExpansion * width))) {
    nn::init::zeros_(bn3_->weight);
    if (stride != 1 || from != kExpansion * width) {
      shortcut_ = register_module("shortcut", nn::Sequential(convolution(from, kExpansion * width, 1, stride),
                                                             nn::BatchNorm2d(kExpansion * width)));
    }
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = at::relu(bn1_(conv1_(x)));
    y = at::relu(bn2_(conv2_(y)));
    y = bn3_(conv3_(y));
    return at::relu(y + (shortcut_.is_empty() ? x : shortcut_->forward(x)));
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d bn2_;
  nn::Conv2d conv3_;
  nn::BatchNorm2d bn3_;
  nn::Sequential shortcut_{nullptr};
};

class ResNet50 : public Classifier {
 public:
  explicit ResNet50(std::int64_t classes)
      : conv1_(register_module("conv1", convolution(3, 64, 7, 2))),
        bn1_(register_module("bn1", nn::BatchNorm2d(64))) {
    std::int64_t channels = 64, width = 64;
    int number = 1;
    for (const int count : {3, 4, 6, 3}) {
      for (int k = 0; k < count; ++k) {
        const std::int64_t stride = k == 0 && width > 64 ? 2 : 1;
        blocks_.push_back(register_module("block" + std::to_string(number++),
                                          std::make_shared<Bottleneck>(channels, width, stride)));
        channels = kExpansion * width;
      }
      width *= 2;
    }
    head_ = register_module("head", nn::Linear(channels, classes));
  }

  Tensor forward(const Tensor& images) override {
    Tensor x = at::max_pool2d(at::relu(bn1_(conv1_(images))), 3, 2, 1);
    for (const auto& block : blocks_)
      x = block->forward(x);
    return head_(at::adaptive_avg_pool2d(x, {1, 1}).flatten(1));
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  std::vector<std::shared_ptr<Bottleneck>> blocks_;
  nn::Linear head_{nullptr};
};

}  // namespace

std::shared_ptr<Classifier> make_resnet50(std::int64_t classes) {
  return std::make_shared<ResNet50>(classes);
}

}  // namespace samples
