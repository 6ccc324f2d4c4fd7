#pragma once

#include "image_folder.h"
#include "task.h"

namespace samples {

/// ImageNet's recipe on a folder of pictures: ResNet-50; while training a random part of the picture (8 to
/// 100 % of its area, sides from 3:4 to 4:3), mirrored at times; for testing the middle. Pictures are read as
/// they are needed, the next batch while the network works on this one.
class FolderTask final : public Task {
 public:
  /// side: of the images that the network sees. Throws ConfigurationError where no JPEG library was built in.
  FolderTask(ImageFolder images, std::size_t side);

  std::size_t training_size() const override { return images_.train.files.size(); }
  std::vector<int> labels() const override { return images_.train.labels; }
  std::shared_ptr<Classifier> make_model() const override;
  std::unique_ptr<Supply> supply(std::size_t batch_size, std::uint64_t seed,
                                 std::vector<std::size_t> own) const override;
  Score score(Classifier& model) const override;

 private:
  ImageFolder images_;
  std::size_t side_;
};

}  // namespace samples
