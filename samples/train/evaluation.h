#pragma once

#include "dataset.h"
#include "models.h"

namespace samples {

/// A view of `values` (count × channels × height × width) as a batch of images of this set. The values must
/// outlive it.
torch::Tensor image_tensor(std::vector<float>& values, const Dataset& set, std::size_t count);

/// Share of `set` that the model gets right, in evaluation mode; the model's mode is then what it was.
double accuracy(Classifier& model, const Dataset& set, const DataSplit& data);

}  // namespace samples
