#pragma once

#include <filesystem>
#include <mutex>
#include <set>
#include <string>

#include "image_folder.h"
#include "task.h"

namespace samples {

/// Says on stderr which pictures cannot be read and why, of each once. Thread-safe.
class Complaints {
 public:
  void add(const std::filesystem::path& file, const std::string& what);

 private:
  std::mutex mutex_;
  std::set<std::filesystem::path> files_;
};

/// ImageNet's recipe on a folder of pictures: ResNet-50; while training a random part of the picture (8 to
/// 100 % of its area, sides from 3:4 to 4:3), mirrored at times; for testing the middle. Pictures are read as
/// they are needed, the next batch while the network works on this one; what cannot be read is left out,
/// unless that is all of them (duet::Error).
class FolderTask final : public Task {
 public:
  /// side: of the images that the network sees. Throws ConfigurationError: no JPEG library was built in, or
  /// what list_images() throws.
  FolderTask(const std::filesystem::path& folder, std::size_t side);

  std::size_t training_size() const override { return images_.train.files.size(); }
  std::vector<int> labels() const override { return images_.train.labels; }
  std::shared_ptr<Classifier> make_model() const override;
  std::unique_ptr<Supply> supply(std::size_t batch_size, std::uint64_t seed,
                                 std::vector<std::size_t> own) const override;
  Score score(Classifier& model, std::size_t most) const override;

 private:
  ImageFolder images_;
  std::size_t side_;
  mutable Complaints complaints_;
};

}  // namespace samples
