#include "image_task.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <utility>

#include "batches.h"
#include "evaluation.h"

namespace samples {
namespace {

constexpr std::size_t kBatch = 500;

class ImageSupply final : public Supply {
 public:
  ImageSupply(const DataSplit& data, std::size_t batch_size, std::uint64_t seed, std::vector<std::size_t> own)
      : batches_(data, seed, std::move(own)),
        images_(batch_size * data.train.image_size()),
        labels_(batch_size),
        batch_{image_tensor(images_, data.train, batch_size),
               torch::from_blob(labels_.data(), {static_cast<std::int64_t>(batch_size)}, at::kLong)} {}

  Batch next() override {
    batches_.next(labels_.size(), images_.data(), labels_.data());
    return batch_;
  }

 private:
  Batches batches_;
  std::vector<float> images_;
  std::vector<std::int64_t> labels_;
  Batch batch_;  ///< of the same memory, always
};

}  // namespace

ImageTask::ImageTask(DataSplit data, MakeModel make) : data_(std::move(data)), make_model_(make) {}

std::vector<int> ImageTask::labels() const {
  return {data_.train.labels.begin(), data_.train.labels.end()};
}

std::unique_ptr<Supply> ImageTask::supply(std::size_t batch_size, std::uint64_t seed,
                                          std::vector<std::size_t> own) const {
  return std::make_unique<ImageSupply>(data_, batch_size, seed, std::move(own));
}

Score ImageTask::score(Classifier& model, std::size_t most) const {
  const Dataset& set = data_.test;
  std::vector<float> images(kBatch * set.image_size());
  std::vector<std::int64_t> labels(kBatch);
  const std::vector<std::size_t> chosen = evenly(set.size(), most);
  std::size_t begin = 0;
  return score_of(model, [&](Batch& batch) {
    if (begin >= chosen.size()) return false;
    const std::size_t count = std::min(kBatch, chosen.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t index = chosen[begin + i];
      prepare_image(set, index, data_, images.data() + i * set.image_size());
      labels[i] = set.labels[index];
    }
    batch = {image_tensor(images, set, count),
             torch::from_blob(labels.data(), {static_cast<std::int64_t>(count)}, at::kLong)};
    begin += count;
    return true;
  });
}

}  // namespace samples
