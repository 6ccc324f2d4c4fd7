#pragma once

namespace samples {

/// How well a model does on data that it was not trained on.
struct Score {
  double accuracy = 0.0;  ///< share of the largest scores that are right
  double loss = 0.0;      ///< mean cross entropy
};

}  // namespace samples
