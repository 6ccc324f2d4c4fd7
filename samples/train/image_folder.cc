#include "image_folder.h"

#include <algorithm>
#include <cctype>
#include <system_error>

#include "duet/error.h"

namespace samples {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoPictures = "has no .jpg or .jpeg pictures";

[[noreturn]] void refuse(const fs::path& folder, const std::string& what) {
  throw duet::ConfigurationError(folder.string() + " " + what +
                                 "; --data must name a folder with train/CLASS/*.jpeg and val/CLASS/*.jpeg");
}

bool is_picture(const fs::path& file) {
  std::string suffix = file.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return suffix == ".jpg" || suffix == ".jpeg";
}

// Sorted: a directory's own order differs from machine to machine, and the workers must number alike.
std::vector<fs::path> sorted(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, error))
    entries.push_back(entry.path());
  if (error) refuse(folder, "cannot be read: " + error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<std::string> classes_of(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& entry : sorted(folder))
    if (fs::is_directory(entry)) names.push_back(entry.filename().string());
  if (names.empty()) refuse(folder, "has no folders, one for each class");
  return names;
}

ImageList list(const fs::path& folder, const std::vector<std::string>& classes, bool all_have_some) {
  ImageList images;
  for (const std::string& name : classes_of(folder)) {
    const auto place = std::lower_bound(classes.begin(), classes.end(), name);
    if (place == classes.end() || *place != name)
      refuse(folder, "has a class \"" + name + "\" that train has not");
    const std::size_t before = images.files.size();
    for (const fs::path& file : sorted(folder / name)) {
      if (!is_picture(file)) continue;
      images.files.push_back(file);
      images.labels.push_back(static_cast<int>(place - classes.begin()));
    }
    if (all_have_some && images.files.size() == before) refuse(folder / name, kNoPictures);
  }
  if (images.files.empty()) refuse(folder, kNoPictures);
  return images;
}

}  // namespace

ImageFolder list_images(const fs::path& folder) {
  ImageFolder images;
  images.classes = classes_of(folder / "train");
  std::sort(images.classes.begin(), images.classes.end());  // paths may sort otherwise than their names
  images.train = list(folder / "train", images.classes, true);
  images.test = list(folder / "val", images.classes, false);
  return images;
}

}  // namespace samples
