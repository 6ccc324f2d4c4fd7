#include "transformer.h"

#include <ATen/ATen.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace samples {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

class Block : public nn::Module {
 public:
  Block(std::int64_t width, std::int64_t heads)
      : heads_(heads),
        before_attention_(register_module("before_attention", nn::LayerNorm(nn::LayerNormOptions({width})))),
        attention_(register_module("attention", nn::Linear(width, 3 * width))),
        joined_(register_module("joined", nn::Linear(width, width))),
        before_wide_(register_module("before_wide", nn::LayerNorm(nn::LayerNormOptions({width})))),
        wide_(register_module("wide", nn::Linear(width, 4 * width))),
        narrow_(register_module("narrow", nn::Linear(4 * width, width))) {}

  Tensor forward(const Tensor& x) {
    const Tensor y = x + attend(before_attention_(x));
    return y + narrow_(at::gelu(wide_(before_wide_(y))));
  }

 private:
  Tensor attend(const Tensor& x) {
    const std::int64_t batch = x.size(0), length = x.size(1), width = x.size(2), head = width / heads_;
    // query, key, value: each batch × heads × length × head
    const auto parts =
        attention_(x).view({batch, length, 3, heads_, head}).permute({2, 0, 3, 1, 4}).unbind(0);
    Tensor scores = at::matmul(parts[0], parts[1].transpose(-2, -1)) / std::sqrt(static_cast<double>(head));
    // Nobody looks ahead. Made anew: a buffer of the module would be averaged with the neighbours'.
    const Tensor ahead = at::ones({length, length}, x.options()).triu(1).gt(0);
    scores = scores.masked_fill(ahead, -std::numeric_limits<float>::infinity()).softmax(-1);
    return joined_(at::matmul(scores, parts[2]).transpose(1, 2).reshape({batch, length, width}));
  }

  std::int64_t heads_;
  nn::LayerNorm before_attention_;
  nn::Linear attention_, joined_;
  nn::LayerNorm before_wide_;
  nn::Linear wide_, narrow_;
};

class Transformer : public Classifier {
 public:
  explicit Transformer(const TransformerShape& shape)
      : characters_(register_module("characters", nn::Embedding(shape.vocabulary, shape.width))),
        places_(register_module("places", nn::Embedding(shape.context, shape.width))),
        last_(register_module("last", nn::LayerNorm(nn::LayerNormOptions({shape.width})))),
        head_(register_module("head", nn::Linear(shape.width, shape.vocabulary))) {
    for (const auto& embedding : {characters_, places_})
      nn::init::normal_(embedding->weight, 0.0, 0.02);
    for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
      blocks_.push_back(register_module("block" + std::to_string(layer + 1),
                                        std::make_shared<Block>(shape.width, shape.heads)));
    }
  }

  Tensor forward(const Tensor& text) override {
    Tensor x = characters_(text) + places_(at::arange(text.size(1), text.options()));
    for (const auto& block : blocks_)
      x = block->forward(x);
    return head_(last_(x)).flatten(0, 1);
  }

 private:
  nn::Embedding characters_, places_;
  std::vector<std::shared_ptr<Block>> blocks_;
  nn::LayerNorm last_;
  nn::Linear head_;
};

}  // namespace

std::shared_ptr<Classifier> make_transformer(const TransformerShape& shape) {
  return std::make_shared<Transformer>(shape);
}

}  // namespace samples
