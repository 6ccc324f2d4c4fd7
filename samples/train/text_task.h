#pragma once

#include "task.h"
#include "text.h"

namespace samples {

/// A text to be continued, character by character, by a small transformer. A sample is a window of `context`
/// characters of the text, from anywhere in its part for training; there are as many as fit behind each
/// other.
class TextTask final : public Task {
 public:
  TextTask(Text text, std::size_t context);

  std::size_t training_size() const override { return text_.training / context_; }
  std::vector<int> labels() const override { return {}; }
  std::shared_ptr<Classifier> make_model() const override;
  std::unique_ptr<Supply> supply(std::size_t batch_size, std::uint64_t seed,
                                 std::vector<std::size_t> own) const override;
  Score score(Classifier& model, std::size_t most) const override;

 private:
  Text text_;
  std::size_t context_;
};

}  // namespace samples
