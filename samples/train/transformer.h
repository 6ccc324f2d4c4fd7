#pragma once

#include <cstdint>
#include <memory>

#include "models.h"

namespace samples {

struct TransformerShape {
  std::int64_t vocabulary = 0;
  std::int64_t context = 64;  ///< the longest text that it takes
  std::int64_t width = 64;
  std::int64_t layers = 2;
  std::int64_t heads = 4;  ///< divides width
};

/// A small decoder (pre-norm, learned positions, causal attention): says for each character of a text which
/// one comes next. Input: characters' numbers, batch × length; output: a row of scores for each of them, one
/// text after the other. About 12·layers·width² parameters beside the embeddings.
std::shared_ptr<Classifier> make_transformer(const TransformerShape& shape);

}  // namespace samples
