#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "duet/error.h"
#include "recording_reader.h"
#include "recording_writer.h"

namespace duet::observer {

/// A folder for recordings, and what is done with them.
class RecordingFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "duet-recording-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  static std::string frame(int number) {
    return "frame " + std::to_string(number) + std::string(static_cast<std::size_t>(number % 97), '.');
  }
  std::string record(const std::string& name, int frames, double interval = 1.0) const {
    RecordingWriter writer(file(name), false);
    for (int i = 0; i < frames; ++i)
      EXPECT_TRUE(writer.append(1000.0 + interval * i, frame(i)));
    EXPECT_TRUE(writer.close());
    return file(name);
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }
  static std::string refusal(const std::string& path) {
    try {
      const RecordingReader reader(path);
    } catch (const ConfigurationError& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path folder_;
};

}  // namespace duet::observer
