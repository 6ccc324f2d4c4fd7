#pragma once

#include "dataset.h"
#include "task.h"

namespace samples {

/// Images that are in memory, and the network that was made for them.
class ImageTask final : public Task {
 public:
  using MakeModel = std::shared_ptr<Classifier> (*)();
  ImageTask(DataSplit data, MakeModel make);

  const DataSplit& data() const { return data_; }

  std::size_t training_size() const override { return data_.train.size(); }
  std::vector<int> labels() const override;
  std::shared_ptr<Classifier> make_model() const override { return make_model_(); }
  std::unique_ptr<Supply> supply(std::size_t batch_size, std::uint64_t seed,
                                 std::vector<std::size_t> own) const override;
  Score score(Classifier& model, std::size_t most) const override;

 private:
  DataSplit data_;
  MakeModel make_model_;
};

}  // namespace samples
