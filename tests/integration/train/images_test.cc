#include <gmock/gmock.h>
#include <torch/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "duet/error.h"
#include "folder_task.h"
#include "image_folder.h"
#include "jpeg.h"
#include "pictures.h"
#include "text.h"

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Says always the first class, and remembers what it was asked.
class Seen : public samples::Classifier {
 public:
  torch::Tensor forward(const torch::Tensor& x) override {
    inputs.push_back(x.clone());
    return torch::tensor({1.0F, 0.0F}).expand({x.size(0), 2});
  }
  std::int64_t rows() const {
    std::int64_t sum = 0;
    for (const auto& input : inputs)
      sum += input.size(0);
    return sum;
  }
  std::vector<torch::Tensor> inputs;
};

class Folder : public ::testing::Test {
 protected:
  Folder() : folder_(fs::temp_directory_path() / ("duet-images-test-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Folder() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void write(const std::string& name, const std::string& content) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  template <class Call>
  static std::string refused(Call&& call) {
    try {
      call();
    } catch (const duet::Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  fs::path folder_;
};

TEST_F(Folder, ListsPicturesByClassInTheOrderOfNames) {
  for (const char* name : {"train/dog/b.JPEG", "train/dog/a.jpg", "train/cat/c.jpeg", "val/dog/d.jpg"})
    write(name, "x");
  write("train/cat/notes.txt", "x");
  write("train/readme.txt", "x");
  const auto images = samples::list_images(folder_);
  EXPECT_THAT(images.classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(images.train.labels, ElementsAre(0, 1, 1));
  EXPECT_EQ(images.train.files[1].filename(), "a.jpg");
  EXPECT_THAT(images.test.labels, ElementsAre(1));
}

TEST_F(Folder, NamesWhatIsMissing) {
  const auto message = [&] { return refused([&] { samples::list_images(folder_); }); };
  EXPECT_THAT(message(), AllOf(HasSubstr("train"), HasSubstr("cannot be read"), HasSubstr("--data")));
  fs::create_directories(folder_ / "train");
  EXPECT_THAT(message(), HasSubstr("no folders"));
  fs::create_directories(folder_ / "train" / "cat");
  EXPECT_THAT(message(), AllOf(HasSubstr("cat"), HasSubstr("no .jpg")));
  write("train/cat/a.jpg", "x");
  write("val/cow/a.jpg", "x");
  EXPECT_THAT(message(), AllOf(HasSubstr("val"), HasSubstr("\"cow\"")));
  fs::create_directories(folder_ / "train" / "cow");
  EXPECT_THAT(message(), AllOf(HasSubstr("train/cow "), HasSubstr("no .jpg")));
}

TEST_F(Folder, ReadsPicturesAndNamesThoseThatAreNone) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  write("grey.jpg", pictures::jpeg());
  const auto picture = samples::read_jpeg(folder_ / "grey.jpg");
  EXPECT_EQ(picture.height, 8u);
  EXPECT_EQ(picture.width, 8u);
  EXPECT_THAT(picture.values, ::testing::AllOf(::testing::SizeIs(8 * 8 * 3), ::testing::Each(128)));
  write("none.jpg", "no picture at all");
  EXPECT_THAT(refused([&] { samples::read_jpeg(folder_ / "none.jpg"); }),
              AllOf(HasSubstr("none.jpg"), HasSubstr("cannot be read as a JPEG picture")));
  EXPECT_THAT(refused([&] { samples::read_jpeg(folder_ / "absent.jpg"); }), HasSubstr("absent.jpg"));
}

TEST_F(Folder, RefusesPicturesThatAreCutOffOrFarTooLarge) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  const auto message = [&](const std::string& bytes) {
    write("a.jpg", bytes);
    return refused([&] { samples::read_jpeg(folder_ / "a.jpg"); });
  };
  const std::string whole = pictures::jpeg({16, 1, false, {1, -2, 3, -1}});
  EXPECT_EQ(message(whole), "nothing was thrown");
  for (std::size_t kept = whole.size() - 1; kept > 0; --kept)
    EXPECT_THAT(message(whole.substr(0, kept)), HasSubstr("a.jpg")) << kept;
  EXPECT_THAT(message(whole.substr(0, whole.size() - 4)), HasSubstr("Premature end"));
  // A marker where there should be blocks.
  std::string early = whole;
  early.erase(early.size() - 4, 2);
  EXPECT_THAT(message(early), HasSubstr("premature end"));
  EXPECT_THAT(message(pictures::jpeg({12000, 1, false, {0}})),
              AllOf(HasSubstr("a.jpg"), HasSubstr("12000 x 12000 pixels"), HasSubstr("100000000")));
}

TEST_F(Folder, InvertsInkWhereAdobeWroteIt) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  // Every ink is at 176 of 255, or, where Adobe wrote it, at 79.
  const auto value = [&](bool adobe) {
    write("a.jpg", pictures::jpeg({8, 4, adobe, {3}}));
    auto picture = samples::read_jpeg(folder_ / "a.jpg");
    EXPECT_THAT(picture.values,
                ::testing::AllOf(::testing::SizeIs(8 * 8 * 3), ::testing::Each(picture.values.front())));
    return static_cast<int>(picture.values.front());
  };
  EXPECT_EQ(value(true), 176 * 176 / 255);
  EXPECT_EQ(value(false), 79 * 79 / 255);
}

TEST_F(Folder, ShrinksPicturesByTheMeanOfTheirPixels) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  // A chessboard of 16×16 blocks, 112 and 144: in every row there and back, and the next row begins as this
  // one ended.
  std::vector<int> steps;
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 16; ++column)
      steps.push_back(column == 0 ? 0 : (row + column) % 2 == 0 ? -2 : 2);
  }
  steps[0] = -1;
  for (const char* name : {"train/a/1.jpg", "val/a/1.jpg"})
    write(name, pictures::jpeg({128, 1, false, steps}));
  const auto whole = samples::read_jpeg(folder_ / "val/a/1.jpg");
  EXPECT_EQ(whole.values.front(), 112);
  EXPECT_EQ(whole.values[3 * 8], 144);
  EXPECT_EQ(whole.values[3 * 128 * 8], 144);
  EXPECT_EQ(whole.values.back(), 112);
  const samples::FolderTask task(folder_, 4);
  Seen model;
  task.score(model, samples::Task::kAll);
  ASSERT_EQ(model.inputs.size(), 1u);
  const auto red = model.inputs[0][0][0] * 58.395 + 123.675;
  EXPECT_LT((red - 128.0).abs().max().item<double>(), 4.0);
}

TEST_F(Folder, LeavesOutWhatCannotBeReadAndSaysSoOnce) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  for (const char* name : {"train/a/1.jpg", "train/b/2.jpg", "val/a/1.jpg", "val/b/2.jpg", "val/b/4.jpg"})
    write(name, pictures::jpeg());
  for (const char* name : {"train/b/3.JPEG", "val/b/3.JPEG"})
    write(name, "\x89PNG");
  const samples::FolderTask task(folder_, 32);
  ::testing::internal::CaptureStderr();
  {
    const auto supply = task.supply(2, 1, {});
    for (int k = 0; k < 6; ++k)
      EXPECT_EQ(supply->next().y.sizes(), (std::vector<std::int64_t>{2}));
    Seen model;
    EXPECT_DOUBLE_EQ(task.score(model, samples::Task::kAll).accuracy, 1.0 / 3.0);
    EXPECT_EQ(model.rows(), 3);
    task.score(model, samples::Task::kAll);
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, AllOf(HasSubstr("train/b/3.JPEG"), HasSubstr("val/b/3.JPEG"), HasSubstr("left out")));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
}

TEST_F(Folder, OfWhichNothingCanBeReadIsAnError) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  for (const char* name : {"train/a/1.jpg", "train/a/2.jpg", "val/a/3.jpg", "val/a/4.jpg"})
    write(name, "x");
  ::testing::internal::CaptureStderr();
  const samples::FolderTask task(folder_, 32);
  EXPECT_THAT(refused([&] { task.supply(2, 1, {})->next(); }), HasSubstr("train can be read"));
  Seen model;
  EXPECT_THAT(refused([&] { task.score(model, samples::Task::kAll); }), HasSubstr("val can be read"));
  ::testing::internal::GetCapturedStderr();
  // One that can be read among many is enough, whatever the order.
  write("train/a/3.jpg", pictures::jpeg());
  const samples::FolderTask other(folder_, 32);
  ::testing::internal::CaptureStderr();
  const auto supply = other.supply(1, 1, {});
  for (int k = 0; k < 30; ++k)
    EXPECT_EQ(supply->next().y.numel(), 1);
  ::testing::internal::GetCapturedStderr();
}

TEST_F(Folder, IsATaskOfBatchesThatDependOnTheSeedAlone) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  for (const char* name : {"train/a/1.jpg", "train/b/2.jpg", "train/b/3.jpg", "val/a/4.jpg"})
    write(name, pictures::jpeg());
  const samples::FolderTask task(folder_, 32);
  EXPECT_EQ(task.training_size(), 3u);
  const auto labels = [&](std::uint64_t seed) {
    const auto supply = task.supply(3, seed, {});
    const samples::Batch batch = supply->next();
    EXPECT_EQ(batch.x.sizes(), (std::vector<std::int64_t>{3, 3, 32, 32}));
    EXPECT_NEAR(batch.x[0][0][0][0].item<double>(), (128.0 - 123.675) / 58.395, 1e-4);
    return std::array<std::int64_t, 3>{batch.y[0].item<std::int64_t>(), batch.y[1].item<std::int64_t>(),
                                       batch.y[2].item<std::int64_t>()};
  };
  EXPECT_EQ(labels(1), labels(1));
  EXPECT_EQ(labels(1)[0] + labels(1)[1] + labels(1)[2], 2);
  const auto own = task.supply(2, 1, {0});
  EXPECT_EQ(own->next().y.sum().item<std::int64_t>(), 0);
}

TEST_F(Folder, OfTextsIsOneTextInTheOrderOfNames) {
  write("b.md", std::string(100, 'b'));
  write("a.txt", std::string(100, 'a'));
  write("c.bin", "zzz");
  const samples::Text text = samples::load_text(folder_, 10);
  EXPECT_EQ(text.vocabulary, "ab");
  EXPECT_EQ(text.symbols.size(), 200u);
  EXPECT_EQ(text.training, 180u);
  EXPECT_EQ(text.symbols[0], 0);
  EXPECT_EQ(text.symbols[150], 1);
  EXPECT_THAT(refused([&] { samples::load_text(folder_, 21); }), HasSubstr("200 bytes"));
  EXPECT_THAT(refused([&] { samples::load_text(folder_ / "absent.txt", 10); }), HasSubstr("absent.txt"));
}

}  // namespace
