#include "models.h"

#include <torch/nn/functional/pooling.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <initializer_list>

#include "convolution.h"

namespace samples {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

class DigitsNet : public Classifier {
 public:
  DigitsNet()
      : first_(register_module("first", nn::Conv2d(nn::Conv2dOptions(1, 16, 3).padding(1)))),
        second_(register_module("second", nn::Conv2d(nn::Conv2dOptions(16, 32, 3).padding(1)))),
        head_(register_module("head", nn::Linear(32 * 2 * 2, 10))) {}

  Tensor forward(const Tensor& images) override {
    Tensor x = at::max_pool2d(at::relu(first_(images)), 2);
    x = at::max_pool2d(at::relu(second_(x)), 2);
    return head_(x.flatten(1));
  }

 private:
  nn::Conv2d first_, second_;
  nn::Linear head_;
};

class BasicBlock : public Classifier {
 public:
  BasicBlock(std::int64_t from, std::int64_t to, std::int64_t stride)
      : conv1_(register_module("conv1", convolution(from, to, 3, stride))),
        bn1_(register_module("bn1", nn::BatchNorm2d(to))),
        conv2_(register_module("conv2", convolution(to, to, 3, 1))),
        bn2_(register_module("bn2", nn::BatchNorm2d(to))) {
    if (stride != 1 || from != to) {
      shortcut_ =
          register_module("shortcut", nn::Sequential(convolution(from, to, 1, stride), nn::BatchNorm2d(to)));
    }
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = at::relu(bn1_(conv1_(x)));
    y = bn2_(conv2_(y));
    return at::relu(y + (shortcut_.is_empty() ? x : shortcut_->forward(x)));
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d bn2_;
  nn::Sequential shortcut_{nullptr};
};

class ResNet18 : public Classifier {
 public:
  ResNet18()
      : conv1_(register_module("conv1", convolution(3, 64, 3, 1))),
        bn1_(register_module("bn1", nn::BatchNorm2d(64))) {
    std::int64_t channels = 64;
    int number = 1;
    for (const std::int64_t width : {64, 128, 256, 512}) {
      for (const std::int64_t stride : {width == 64 ? 1 : 2, 1}) {
        blocks_.push_back(register_module("block" + std::to_string(number++),
                                          std::make_shared<BasicBlock>(channels, width, stride)));
        channels = width;
      }
    }
    head_ = register_module("head", nn::Linear(channels, 10));
  }

  Tensor forward(const Tensor& images) override {
    Tensor x = at::relu(bn1_(conv1_(images)));
    for (const auto& block : blocks_)
      x = block->forward(x);
    return head_(at::adaptive_avg_pool2d(x, {1, 1}).flatten(1));
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  std::vector<std::shared_ptr<BasicBlock>> blocks_;
  nn::Linear head_{nullptr};
};

}  // namespace

std::shared_ptr<Classifier> make_digits_net() {
  return std::make_shared<DigitsNet>();
}
std::shared_ptr<Classifier> make_resnet18() {
  return std::make_shared<ResNet18>();
}

}  // namespace samples
