#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace samples {

/// Which pictures there are; they themselves are read when they are needed.
struct ImageList {
  std::vector<std::filesystem::path> files;
  std::vector<int> labels;
};

/// A folder as ImageNet's are: train/CLASS/*.JPEG and val/CLASS/*.JPEG, a folder for each class. Labels are
/// the places of the classes' names in order.
struct ImageFolder {
  std::vector<std::string> classes;
  ImageList train;
  ImageList test;  ///< of val
};

/// Throws ConfigurationError that names the folder: it is not there, has no classes, train has a class
/// without pictures, val has none at all or a class that train has not.
ImageFolder list_images(const std::filesystem::path& folder);

}  // namespace samples
