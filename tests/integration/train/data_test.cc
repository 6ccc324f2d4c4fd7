#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "batches.h"
#include "cifar10.h"
#include "digits.h"
#include "duet/error.h"

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Data : public ::testing::Test {
 protected:
  Data() : folder_(fs::temp_directory_path() / ("duet-data-test-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Data() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  // The message of the ConfigurationError that `load` must throw.
  template <class Load>
  static std::string refused(Load&& load) {
    try {
      load();
    } catch (const duet::ConfigurationError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  fs::path folder_;
};

std::string digits_line(int pixel, int label) {
  std::string line;
  for (int i = 0; i < 64; ++i)
    line += std::to_string(pixel) + ",";
  return line + std::to_string(label) + "\n";
}

std::string cifar_file(std::size_t records, char label, char pixel) {
  std::string content;
  for (std::size_t i = 0; i < records; ++i)
    content += label + std::string(3072, pixel);
  return content;
}

using Digits = Data;
using Cifar10 = Data;
using BatchesTest = Data;

TEST_F(Digits, KeepEveryFifthImageForTesting) {
  const auto data = samples::load_digits(DUET_SAMPLE_DATA);
  EXPECT_EQ(data.train.size(), 1438u);
  EXPECT_EQ(data.test.size(), 359u);
  EXPECT_EQ(data.train.pixels.size(), 1438u * 64);
  EXPECT_EQ(data.train.labels[0], 0);
  EXPECT_EQ(data.train.labels[3], 3);
  EXPECT_EQ(data.test.labels[0], 4);   // row 4
  EXPECT_EQ(data.train.labels[4], 5);  // row 5
  EXPECT_EQ(data.train.pixels[2], 5);
  EXPECT_EQ(*std::max_element(data.train.pixels.begin(), data.train.pixels.end()), 16);
}

TEST_F(Digits, NameFileAndLineOfWhatIsWrong) {
  const std::string good = "header\n" + digits_line(3, 1);
  write("digits.csv", good + digits_line(17, 1));
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }),
              AllOf(HasSubstr("digits.csv:3"), HasSubstr("column 1 is 17")));
  write("digits.csv", good + digits_line(1, 10));
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }), HasSubstr("column 65 is 10"));
  write("digits.csv", good + "1,2,3\n");
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }), HasSubstr("3 columns"));
  write("digits.csv", good + "1,x\n");
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }), HasSubstr("column 2 is no number"));
  write("digits.csv", good + "\n");
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }), HasSubstr("column 1 is no number"));
  write("digits.csv", good);
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }), HasSubstr("too few"));
  fs::remove(folder_ / "digits.csv");
  EXPECT_THAT(refused([&] { samples::load_digits(folder_); }),
              AllOf(HasSubstr("cannot read"), HasSubstr("--data")));
}

TEST_F(Cifar10, ReadsTheBinaryFilesInOrder) {
  for (int i = 1; i <= 5; ++i) {
    write("data_batch_" + std::to_string(i) + ".bin",
          cifar_file(2, static_cast<char>(i), static_cast<char>(10 * i)));
  }
  write("test_batch.bin", cifar_file(2, 9, 7));
  const auto data = samples::load_cifar10(folder_, 2);
  EXPECT_THAT(data.train.labels, ::testing::ElementsAre(1, 1, 2, 2, 3, 3, 4, 4, 5, 5));
  EXPECT_EQ(data.train.pixels.size(), 10u * 3072);
  EXPECT_EQ(data.train.pixels[2 * 3072], 20);
  EXPECT_THAT(data.test.labels, ::testing::ElementsAre(9, 9));
}

TEST_F(Cifar10, NamesTheFileThatIsCutOffOrMissing) {
  for (int i = 1; i <= 5; ++i)
    write("data_batch_" + std::to_string(i) + ".bin", cifar_file(2, 1, 1));
  write("data_batch_3.bin", std::string(3073 + 100, 'x'));
  EXPECT_THAT(refused([&] { samples::load_cifar10(folder_, 2); }),
              AllOf(HasSubstr("data_batch_3.bin has 3173 bytes"), HasSubstr("expected 6146 bytes")));
  write("data_batch_3.bin", cifar_file(2, 1, 1));
  EXPECT_THAT(refused([&] { samples::load_cifar10(folder_, 2); }),
              AllOf(HasSubstr("test_batch.bin"), HasSubstr("No such file"), HasSubstr("--data")));
  write("test_batch.bin", cifar_file(2, 11, 1));
  EXPECT_THAT(refused([&] { samples::load_cifar10(folder_, 2); }),
              AllOf(HasSubstr("test_batch.bin: record 0"), HasSubstr("label 11")));
}

samples::DataSplit counting(std::size_t images) {
  samples::DataSplit data;
  data.mean = {0.0F};
  data.scale = {1.0F};
  data.train.height = data.train.width = 1;
  for (std::size_t i = 0; i < images; ++i) {
    data.train.pixels.push_back(static_cast<std::uint8_t>(i));
    data.train.labels.push_back(static_cast<std::uint8_t>(i));
  }
  return data;
}

TEST_F(BatchesTest, ShowEveryImageOnceARound) {
  const auto data = counting(10);
  samples::Batches batches(data, 7);
  std::vector<float> images(4);
  std::vector<std::int64_t> labels(4), seen;
  for (int i = 0; i < 5; ++i) {  // two rounds; the third batch spans both
    batches.next(4, images.data(), labels.data());
    for (int k = 0; k < 4; ++k)
      EXPECT_EQ(images[k], static_cast<float>(labels[k]));
    seen.insert(seen.end(), labels.begin(), labels.end());
  }
  EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.begin() + 10).size(), 10u);
  EXPECT_EQ(std::set<std::int64_t>(seen.begin() + 10, seen.end()).size(), 10u);
  EXPECT_FALSE(std::equal(seen.begin(), seen.begin() + 10, seen.begin() + 10));
}

TEST_F(BatchesTest, DependOnTheSeedAlone) {
  const auto data = counting(200);
  const auto labels_of = [&](std::uint64_t seed) {
    samples::Batches batches(data, seed);
    std::vector<float> images(50);
    std::vector<std::int64_t> labels(50);
    batches.next(50, images.data(), labels.data());
    return labels;
  };
  EXPECT_EQ(labels_of(3), labels_of(3));
  EXPECT_NE(labels_of(3), labels_of(4));
}

TEST_F(BatchesTest, MoveMirrorAndNormaliseImages) {
  samples::DataSplit data;
  data.mean = {1.0F};
  data.scale = {2.0F};
  data.augment_padding = 1;
  data.train.height = data.train.width = 2;
  data.train.pixels = {1, 2, 3, 4};
  data.train.labels = {0};
  std::vector<float> out(4);
  samples::prepare_image(data.train, 0, data, out.data());
  EXPECT_THAT(out, ::testing::ElementsAre(0, 2, 4, 6));
  samples::prepare_image(data.train, 0, data, 1, 1, true, out.data());
  EXPECT_THAT(out, ::testing::ElementsAre(2, 0, 6, 4));
  samples::prepare_image(data.train, 0, data, 2, 1, false, out.data());  // one row up, black below
  EXPECT_THAT(out, ::testing::ElementsAre(4, 6, -2, -2));
  samples::prepare_image(data.train, 0, data, 1, 0, false,
                         out.data());  // one column to the right, black on its left
  EXPECT_THAT(out, ::testing::ElementsAre(-2, 0, -2, 4));
}

}  // namespace
