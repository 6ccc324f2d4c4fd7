#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "models.h"
#include "score.h"

namespace samples {

/// Samples as a network takes them, and what it should say: the y-th of its scores should be the largest. A
/// sample may have several scores (a text has one for each character); then y has as many elements as there
/// are rows of scores.
struct Batch {
  torch::Tensor x;
  torch::Tensor y;
};

/// One worker's endless supply of training batches. Deterministic in the seed. Not thread-safe.
class Supply {
 public:
  virtual ~Supply() = default;
  /// Valid until the next call.
  virtual Batch next() = 0;
};

/// What a run trains on: a data set, and the network for it. Immutable; any number of workers in one process
/// share it.
class Task {
 public:
  virtual ~Task() = default;

  virtual std::size_t training_size() const = 0;
  /// Of every training sample; empty where samples have none.
  virtual std::vector<int> labels() const = 0;
  virtual std::shared_ptr<Classifier> make_model() const = 0;
  /// own: the training samples that this worker has (partition.h); empty: all of them. The task must outlive
  /// it.
  virtual std::unique_ptr<Supply> supply(std::size_t batch_size, std::uint64_t seed,
                                         std::vector<std::size_t> own) const = 0;
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  /// On the data for testing, or on `most` samples of it, evenly spread; in evaluation mode, the model's mode
  /// is then what it was.
  virtual Score score(Classifier& model, std::size_t most) const = 0;
};

}  // namespace samples
