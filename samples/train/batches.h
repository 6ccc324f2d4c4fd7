#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "dataset.h"
#include "order.h"

namespace samples {

/// One worker's endless supply of training batches: every worker goes through the whole training set, or
/// through those samples of it that are its own, in an order of its own. Deterministic in the seed. Not
/// thread-safe; the data set must outlive it.
class Batches {
 public:
  /// own: indices into the training set; empty: all of it.
  Batches(const DataSplit& data, std::uint64_t seed, std::vector<std::size_t> own = {});

  /// Fills `images` (count × channels × height × width, normalised, augmented) and `labels` (count). Every
  /// image comes once before any comes again; a batch may span two rounds.
  void next(std::size_t count, float* images, std::int64_t* labels);

 private:
  const DataSplit& data_;
  std::mt19937_64 random_;
  Order order_;
};

/// One image as the network sees it: moved by (down, right) − padding, mirrored where `flip`; what comes from
/// outside of it is black. `out`: channels × height × width.
void prepare_image(const Dataset& set, std::size_t index, const DataSplit& data, std::size_t down,
                   std::size_t right, bool flip, float* out);
/// The same as it is, for testing.
void prepare_image(const Dataset& set, std::size_t index, const DataSplit& data, float* out);

}  // namespace samples
