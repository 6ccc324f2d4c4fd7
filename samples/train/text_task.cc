#include "text_task.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <random>
#include <utility>

#include "evaluation.h"
#include "transformer.h"

namespace samples {
namespace {

// Characters in a batch for testing: few enough for the attention of the longest context, enough for the
// shortest.
constexpr std::size_t kTestCharacters = 4096;

/// Windows that begin at these places, and the characters behind theirs.
Batch windows(const Text& text, const std::vector<std::size_t>& begins, std::size_t context) {
  const auto count = static_cast<std::int64_t>(begins.size()), length = static_cast<std::int64_t>(context);
  const auto all = torch::empty({count, length + 1}, at::kLong);
  std::int64_t* to = all.data_ptr<std::int64_t>();
  for (const std::size_t begin : begins)
    to = std::copy_n(text.symbols.data() + begin, context + 1, to);
  return {all.narrow(1, 0, length).contiguous(), all.narrow(1, 1, length).reshape({-1})};
}

class TextSupply final : public Supply {
 public:
  TextSupply(const Text& text, std::size_t context, std::size_t batch_size, std::uint64_t seed)
      : text_(text), context_(context), random_(seed), begins_(batch_size) {}

  Batch next() override {
    std::uniform_int_distribution<std::size_t> anywhere(0, text_.training - context_ - 1);
    for (std::size_t& begin : begins_)
      begin = anywhere(random_);
    return windows(text_, begins_, context_);
  }

 private:
  const Text& text_;
  std::size_t context_;
  std::mt19937_64 random_;
  std::vector<std::size_t> begins_;
};

}  // namespace

TextTask::TextTask(Text text, std::size_t context) : text_(std::move(text)), context_(context) {}

std::shared_ptr<Classifier> TextTask::make_model() const {
  TransformerShape shape;
  shape.vocabulary = static_cast<std::int64_t>(text_.vocabulary.size());
  shape.context = static_cast<std::int64_t>(context_);
  return make_transformer(shape);
}

std::unique_ptr<Supply> TextTask::supply(std::size_t batch_size, std::uint64_t seed,
                                         std::vector<std::size_t> /*own*/) const {
  return std::make_unique<TextSupply>(text_, context_, batch_size, seed);
}

Score TextTask::score(Classifier& model, std::size_t most) const {
  const std::size_t batch_size = std::max<std::size_t>(1, kTestCharacters / context_);
  // The last character of the text is only ever to be foretold.
  const std::size_t windows_for_testing = (text_.symbols.size() - text_.training - 1) / context_;
  const std::vector<std::size_t> chosen = evenly(windows_for_testing, most);
  std::size_t next = 0;
  return score_of(model, [&](Batch& batch) {
    std::vector<std::size_t> begins;
    for (; begins.size() < batch_size && next < chosen.size(); ++next)
      begins.push_back(text_.training + chosen[next] * context_);
    if (begins.empty()) return false;
    batch = windows(text_, begins, context_);
    return true;
  });
}

}  // namespace samples
