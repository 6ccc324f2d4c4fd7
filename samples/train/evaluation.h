#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "dataset.h"
#include "task.h"

namespace samples {

/// A view of `values` (count × channels × height × width) as a batch of images of this set. The values must
/// outlive it.
torch::Tensor image_tensor(std::vector<float>& values, const Dataset& set, std::size_t count);

/// The numbers below `size`, or `most` of them, evenly spread.
std::vector<std::size_t> evenly(std::size_t size, std::size_t most);

/// Of the batches that `next` gives until it says no more (false), in evaluation mode; the model's mode is
/// then what it was.
Score score_of(Classifier& model, const std::function<bool(Batch&)>& next);

}  // namespace samples
