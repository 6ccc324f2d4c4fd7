#pragma once

#include <cstdint>
#include <memory>

#include "models.h"

namespace samples {

/// ResNet-50 (He et al. 2016), strides in the 3×3 convolutions, for images of 224×224 or so: 25.6 M
/// parameters with 1,000 classes. The last batch-norm of each block starts at 0 (Goyal et al. 2017).
std::shared_ptr<Classifier> make_resnet50(std::int64_t classes);

}  // namespace samples
