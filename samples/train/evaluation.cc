#include "evaluation.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "batches.h"

namespace samples {
namespace {

constexpr std::size_t kBatch = 500;

}  // namespace

torch::Tensor image_tensor(std::vector<float>& values, const Dataset& set, std::size_t count) {
  return torch::from_blob(values.data(),
                          {static_cast<std::int64_t>(count), static_cast<std::int64_t>(set.channels),
                           static_cast<std::int64_t>(set.height), static_cast<std::int64_t>(set.width)},
                          at::kFloat);
}

double accuracy(Classifier& model, const Dataset& set, const DataSplit& data) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  std::vector<float> images(kBatch * set.image_size());
  std::size_t right = 0;
  for (std::size_t begin = 0; begin < set.size(); begin += kBatch) {
    const std::size_t count = std::min(kBatch, set.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      prepare_image(set, begin + i, data, images.data() + i * set.image_size());
    }
    const auto guesses = model.forward(image_tensor(images, set, count)).argmax(1);
    for (std::size_t i = 0; i < count; ++i) {
      right += guesses[static_cast<std::int64_t>(i)].item<std::int64_t>() == set.labels[begin + i];
    }
  }
  model.train(was_training);
  return static_cast<double>(right) / static_cast<double>(set.size());
}

}  // namespace samples
