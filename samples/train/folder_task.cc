#include "folder_task.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <future>
#include <optional>
#include <random>
#include <utility>

#include "duet/error.h"
#include "evaluation.h"
#include "jpeg.h"
#include "order.h"
#include "resnet50.h"

namespace samples {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

constexpr std::size_t kTestBatch = 50;
// Of the picture's shorter side: 224 of 256.
constexpr double kMiddle = 0.875;
constexpr int kTries = 10;

/// A part of a picture.
struct Cut {
  std::size_t top = 0, left = 0, height = 0, width = 0;
};

Cut middle(const Picture& picture, double share) {
  const auto side = std::max<std::size_t>(
      1, static_cast<std::size_t>(share * static_cast<double>(std::min(picture.height, picture.width))));
  return {(picture.height - side) / 2, (picture.width - side) / 2, side, side};
}

Cut random_cut(const Picture& picture, Random& random) {
  const double area = static_cast<double>(picture.height) * static_cast<double>(picture.width);
  std::uniform_real_distribution<double> share(0.08, 1.0),
      log_ratio(std::log(3.0 / 4.0), std::log(4.0 / 3.0));
  for (int k = 0; k < kTries; ++k) {
    const double size = share(random) * area, ratio = std::exp(log_ratio(random));
    const auto height = static_cast<std::size_t>(std::lround(std::sqrt(size / ratio)));
    const auto width = static_cast<std::size_t>(std::lround(std::sqrt(size * ratio)));
    if (height < 1 || width < 1 || height > picture.height || width > picture.width) continue;
    return {std::uniform_int_distribution<std::size_t>(0, picture.height - height)(random),
            std::uniform_int_distribution<std::size_t>(0, picture.width - width)(random), height, width};
  }
  return middle(picture, 1.0);
}

/// The part as the network sees it: 3 × side × side, by ImageNet's mean and deviation.
torch::Tensor as_input(Picture& picture, const Cut& cut, bool mirror, std::int64_t side) {
  const auto height = static_cast<std::int64_t>(picture.height),
             width = static_cast<std::int64_t>(picture.width);
  auto image = torch::from_blob(picture.values.data(), {height, width, 3}, at::kByte)
                   .narrow(0, static_cast<std::int64_t>(cut.top), static_cast<std::int64_t>(cut.height))
                   .narrow(1, static_cast<std::int64_t>(cut.left), static_cast<std::int64_t>(cut.width))
                   .permute({2, 0, 1})
                   .to(at::kFloat)
                   .contiguous();
  // Anti-aliased: where a picture shrinks, all of its pixels count, not four for each of the input's.
  image = at::_upsample_bilinear2d_aa(image.unsqueeze(0), at::IntArrayRef({side, side}), false)[0];
  if (mirror) image = image.flip(2);
  const auto mean = torch::tensor({123.675F, 116.28F, 103.53F}).view({3, 1, 1});
  const auto deviation = torch::tensor({58.395F, 57.12F, 57.375F}).view({3, 1, 1});
  return (image - mean) / deviation;
}

Batch together(const std::vector<torch::Tensor>& images, const std::vector<std::int64_t>& labels) {
  return {at::stack(images), torch::tensor(labels, at::kLong)};
}

// Nothing: it cannot be read. A large data set has such files (one of ImageNet's is a PNG), and no run should
// end for one.
std::optional<Picture> read(const fs::path& file, Complaints& complaints) {
  try {
    return read_jpeg(file);
  } catch (const duet::Error& error) {
    complaints.add(file, error.what());
    return std::nullopt;
  }
}

[[noreturn]] void give_up(const ImageList& images) {
  throw duet::Error("no picture below " + images.files.front().parent_path().parent_path().string() +
                    " can be read");
}

// Whether they can be read at all comes first: listing ImageNet takes a while.
ImageFolder images_in(const fs::path& folder) {
  if (!can_read_jpeg())
    throw duet::ConfigurationError(
        "pictures cannot be read: this program was built without libjpeg (install "
        "libjpeg62-turbo-dev and build again)");
  return list_images(folder);
}

class FolderSupply final : public Supply {
 public:
  FolderSupply(const ImageList& images, Complaints& complaints, std::int64_t side, std::size_t batch_size,
               std::uint64_t seed, std::vector<std::size_t> own)
      : images_(images),
        complaints_(complaints),
        side_(side),
        batch_size_(batch_size),
        count_(own.empty() ? images.files.size() : own.size()),
        random_(seed),
        order_(images.files.size(), std::move(own)) {
    begin_next();
  }

  Batch next() override {
    Batch batch = next_.get();
    begin_next();
    return batch;
  }

 private:
  // One at a time, so what it uses is nobody else's meanwhile, and the draws come in the same order in every
  // run. An exception comes out of next(). The future's destructor waits.
  void begin_next() {
    next_ = std::async(std::launch::async, [this] {
      std::vector<torch::Tensor> images;
      std::vector<std::int64_t> labels;
      for (std::size_t k = 0; k < batch_size_; ++k) {
        Picture picture;
        const std::size_t index = read_next(picture);
        const Cut cut = random_cut(picture, random_);
        images.push_back(as_input(picture, cut, (random_() & 1) != 0, side_));
        labels.push_back(images_.labels[index]);
      }
      return together(images, labels);
    });
  }

  std::size_t read_next(Picture& picture) {
    // Twice: of a round's first and the next round's last picture so many others lie between.
    for (std::size_t tries = 0; tries < 2 * count_; ++tries) {
      const std::size_t index = order_.next(random_);
      if (auto readable = read(images_.files[index], complaints_)) {
        picture = std::move(*readable);
        return index;
      }
    }
    give_up(images_);
  }

  const ImageList& images_;
  Complaints& complaints_;
  const std::int64_t side_;
  const std::size_t batch_size_;
  const std::size_t count_;
  Random random_;
  Order order_;
  std::future<Batch> next_;
};

}  // namespace

void Complaints::add(const fs::path& file, const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (files_.insert(file).second) std::fprintf(stderr, "duet-train: %s; it is left out\n", what.c_str());
}

FolderTask::FolderTask(const fs::path& folder, std::size_t side) : images_(images_in(folder)), side_(side) {}

std::shared_ptr<Classifier> FolderTask::make_model() const {
  return make_resnet50(static_cast<std::int64_t>(images_.classes.size()));
}

std::unique_ptr<Supply> FolderTask::supply(std::size_t batch_size, std::uint64_t seed,
                                           std::vector<std::size_t> own) const {
  return std::make_unique<FolderSupply>(images_.train, complaints_, static_cast<std::int64_t>(side_),
                                        batch_size, seed, std::move(own));
}

Score FolderTask::score(Classifier& model, std::size_t most) const {
  const std::vector<std::size_t> chosen = evenly(images_.test.files.size(), most);
  std::size_t next = 0;
  bool any = false;
  return score_of(model, [&](Batch& batch) {
    std::vector<torch::Tensor> images;
    std::vector<std::int64_t> labels;
    for (; images.size() < kTestBatch && next < chosen.size(); ++next) {
      auto picture = read(images_.test.files[chosen[next]], complaints_);
      if (!picture) continue;
      images.push_back(
          as_input(*picture, middle(*picture, kMiddle), false, static_cast<std::int64_t>(side_)));
      labels.push_back(images_.test.labels[chosen[next]]);
    }
    if (images.empty() && !any) give_up(images_.test);
    if (images.empty()) return false;
    any = true;
    batch = together(images, labels);
    return true;
  });
}

}  // namespace samples
