#include <gmock/gmock.h>
#include <torch/types.h>
#include <unistd.h>

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
#include "text.h"

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

/// A grey JPEG of 8×8 pixels, all of them 128: one block, whose only coefficient is 0. Tables of one code
/// each.
std::string tiny_jpeg() {
  std::string bytes = "\xFF\xD8\xFF\xDB";
  const auto add = [&](std::initializer_list<int> more) {
    for (const int byte : more)
      bytes.push_back(static_cast<char>(byte));
  };
  add({0x00, 0x43, 0x00});  // quantisation: 64 ones
  bytes.append(64, '\x01');
  add({0xFF, 0xC0, 0x00, 0x0B, 0x08, 0x00, 0x08, 0x00, 0x08, 0x01, 0x01, 0x11, 0x00});  // 8×8, one component
  for (const int table : {0x00, 0x10}) {  // Huffman tables, DC and AC: code "0" is the value 0
    add({0xFF, 0xC4, 0x00, 0x14, table, 0x01});
    bytes.append(15, '\0');
    add({0x00});
  }
  add({0xFF, 0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3F, 0x00});
  add({0x3F, 0xFF, 0xD9});  // "0" no difference, "0" end of block, and ones to the byte's end
  return bytes;
}

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
  EXPECT_THAT(message(), HasSubstr("no .jpg"));
  write("train/cat/a.jpg", "x");
  write("val/cow/a.jpg", "x");
  EXPECT_THAT(message(), AllOf(HasSubstr("val"), HasSubstr("\"cow\"")));
}

TEST_F(Folder, ReadsPicturesAndNamesThoseThatAreNone) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  write("grey.jpg", tiny_jpeg());
  const auto picture = samples::read_jpeg(folder_ / "grey.jpg");
  EXPECT_EQ(picture.height, 8u);
  EXPECT_EQ(picture.width, 8u);
  EXPECT_THAT(picture.values, ::testing::AllOf(::testing::SizeIs(8 * 8 * 3), ::testing::Each(128)));
  write("none.jpg", "no picture at all");
  EXPECT_THAT(refused([&] { samples::read_jpeg(folder_ / "none.jpg"); }),
              AllOf(HasSubstr("none.jpg"), HasSubstr("no JPEG picture")));
  EXPECT_THAT(refused([&] { samples::read_jpeg(folder_ / "absent.jpg"); }), HasSubstr("absent.jpg"));
}

TEST_F(Folder, IsATaskOfBatchesThatDependOnTheSeedAlone) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  for (const char* name : {"train/a/1.jpg", "train/b/2.jpg", "train/b/3.jpg", "val/a/4.jpg"})
    write(name, tiny_jpeg());
  const samples::FolderTask task(samples::list_images(folder_), 32);
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
