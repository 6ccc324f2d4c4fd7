#include "evaluation.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace samples {

torch::Tensor image_tensor(std::vector<float>& values, const Dataset& set, std::size_t count) {
  return torch::from_blob(values.data(),
                          {static_cast<std::int64_t>(count), static_cast<std::int64_t>(set.channels),
                           static_cast<std::int64_t>(set.height), static_cast<std::int64_t>(set.width)},
                          at::kFloat);
}

std::vector<std::size_t> evenly(std::size_t size, std::size_t most) {
  std::vector<std::size_t> numbers(std::min(size, most));
  for (std::size_t k = 0; k < numbers.size(); ++k)
    numbers[k] = k * size / numbers.size();
  return numbers;
}

Score score_of(Classifier& model, const std::function<bool(Batch&)>& next) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  std::int64_t right = 0, count = 0;
  double loss = 0.0;
  Batch batch;
  while (next(batch)) {
    const auto scores = model.forward(batch.x);
    const std::int64_t rows = batch.y.numel();
    right += scores.argmax(1).eq(batch.y).sum().item<std::int64_t>();
    loss += at::cross_entropy_loss(scores, batch.y).item<double>() * static_cast<double>(rows);
    count += rows;
  }
  model.train(was_training);
  if (count == 0) return {};
  return {static_cast<double>(right) / static_cast<double>(count), loss / static_cast<double>(count)};
}

}  // namespace samples
