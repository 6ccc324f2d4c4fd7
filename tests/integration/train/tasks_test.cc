#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "evaluation.h"
#include "image_task.h"
#include "text_task.h"

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Scores all alike, and counts the rows that it is asked for.
class Counting : public samples::Classifier {
 public:
  Counting(std::int64_t classes, bool of_each_place) : classes_(classes), of_each_place_(of_each_place) {}

  torch::Tensor forward(const torch::Tensor& x) override {
    samples += x.size(0);
    largest = std::max(largest, x.numel());
    return at::zeros({of_each_place_ ? x.numel() : x.size(0), classes_});
  }
  std::int64_t samples = 0;
  std::int64_t largest = 0;

 private:
  std::int64_t classes_;
  bool of_each_place_;
};

samples::Text text(const std::string& training, const std::string& testing) {
  samples::Text text;
  for (int byte = 'a'; byte <= 'z'; ++byte)
    text.vocabulary.push_back(static_cast<char>(byte));
  for (const char symbol : training + testing)
    text.symbols.push_back(static_cast<std::uint8_t>(symbol - 'a'));
  text.training = training.size();
  return text;
}

samples::DataSplit images(std::size_t count) {
  samples::DataSplit data;
  data.mean = {0.0F};
  data.scale = {1.0F};
  for (samples::Dataset* set : {&data.train, &data.test}) {
    set->height = set->width = 1;
    for (std::size_t k = 0; k < count; ++k) {
      set->pixels.push_back(static_cast<std::uint8_t>(k));
      set->labels.push_back(static_cast<std::uint8_t>(k % 10));
    }
  }
  return data;
}

TEST(Tasks, AreTestedOnSamplesThatAreEvenlySpread) {
  EXPECT_THAT(samples::evenly(10, 3), ElementsAre(0, 3, 6));
  EXPECT_THAT(samples::evenly(3, 10), ElementsAre(0, 1, 2));
  EXPECT_THAT(samples::evenly(3, samples::Task::kAll), ElementsAre(0, 1, 2));
  EXPECT_THAT(samples::evenly(0, 5), IsEmpty());
}

TEST(Tasks, AreTestedOnAsManySamplesAsAskedFor) {
  const samples::ImageTask image_task(images(1200), nullptr);
  const samples::TextTask text_task(text(std::string(200, 'a'), std::string(81, 'b')), 8);
  for (const auto& [most, of_images, of_text] : {std::tuple{samples::Task::kAll, 1200, 10}, {7, 7, 7}}) {
    Counting image_model(10, false), text_model(26, true);
    image_task.score(image_model, most);
    EXPECT_EQ(image_model.samples, of_images);
    text_task.score(text_model, most);
    EXPECT_EQ(text_model.samples, of_text);
  }
}

TEST(Tasks, OfImagesSupplyAWorkersOwnOnly) {
  const samples::ImageTask task(images(100), nullptr);
  const auto labels = [&](std::vector<std::size_t> own) {
    const auto supply = task.supply(8, 1, std::move(own));
    std::set<std::int64_t> seen;
    for (int k = 0; k < 20; ++k) {
      const auto y = supply->next().y;
      seen.insert(y.data_ptr<std::int64_t>(), y.data_ptr<std::int64_t>() + y.numel());
    }
    return seen;
  };
  EXPECT_THAT(labels({3, 13, 27, 93}), ElementsAre(3, 7));
  EXPECT_EQ(labels({}).size(), 10u);
}

TEST(Tasks, OfATextForetellTheNextCharacter) {
  std::string alphabet;
  for (int k = 0; k < 400; ++k)
    alphabet.push_back(static_cast<char>('a' + k % 26));
  constexpr std::int64_t kBatch = 5, kContext = 12;
  const samples::TextTask task(text(alphabet, alphabet), kContext);
  const auto supply = task.supply(kBatch, 1, {});
  for (int k = 0; k < 10; ++k) {
    const samples::Batch batch = supply->next();
    EXPECT_EQ(batch.x.sizes(), (std::vector<std::int64_t>{kBatch, kContext}));
    const auto next = batch.y.view({kBatch, kContext});
    EXPECT_TRUE(next.narrow(1, 0, kContext - 1).equal(batch.x.narrow(1, 1, kContext - 1)));
    EXPECT_TRUE(next.equal((batch.x + 1).remainder(26)));
  }
}

TEST(Tasks, OfATextKeepItsLastTenthForTesting) {
  const samples::TextTask task(text(std::string(90, 'a'), std::string(10, 'z')), 4);
  const auto supply = task.supply(16, 1, {});
  for (int k = 0; k < 50; ++k) {
    const samples::Batch batch = supply->next();
    EXPECT_EQ(batch.x.max().item<std::int64_t>(), 0);
    EXPECT_EQ(batch.y.max().item<std::int64_t>(), 0);
  }
}

TEST(Tasks, OfATextAreTestedInBatchesOfAboutAsManyCharacters) {
  for (const std::size_t context : {8, 1024, 6000}) {
    const samples::TextTask task(text(std::string(20000, 'a'), std::string(20000, 'b')), context);
    Counting model(26, true);
    task.score(model, samples::Task::kAll);
    EXPECT_EQ(model.largest, context == 6000 ? 6000 : 4096);
    EXPECT_EQ(model.samples, static_cast<std::int64_t>(19999 / context));
  }
}

}  // namespace
