// recording_cuts FILE COUNT SEED: cuts a recording at so many random bytes, and opens each: up to the break,
// every frame as it was, or refused with a reason. Prints what it saw; exit code 1 and a reason when a cut
// was taken for anything else.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "duet/error.h"
#include "recording_reader.h"

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  const std::string whole_file = argv[1], cut_file = whole_file + ".cut";
  std::ifstream in(whole_file, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const duet::observer::RecordingReader reader(whole_file);
  std::vector<std::string> frames;
  duet::observer::Arrival arrival;
  for (std::size_t i = 0; i < reader.frames(); ++i) {
    if (!reader.read(i, arrival)) return 1;
    frames.push_back(arrival.bytes);
  }
  std::mt19937_64 random(std::strtoull(argv[3], nullptr, 10));
  std::size_t opened = 0, refused = 0;
  for (long round = 0; round < std::strtol(argv[2], nullptr, 10); ++round) {
    const std::size_t cut = random() % whole.size();
    std::ofstream(cut_file, std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
    try {
      const duet::observer::RecordingReader part(cut_file);
      if (part.complete() || part.break_text().empty() || part.frames() > frames.size()) {
        std::printf("cut at byte %zu: taken for a whole one\n", cut);
        return 1;
      }
      for (std::size_t i = 0; i < part.frames(); ++i) {
        if (part.read(i, arrival) && arrival.bytes == frames[i]) continue;
        std::printf("cut at byte %zu: frame %zu is another one\n", cut, i);
        return 1;
      }
      ++opened;
    } catch (const duet::ConfigurationError& error) {
      if (std::string(error.what()).size() < 20) return 1;
      ++refused;
    }
  }
  std::filesystem::remove(cut_file);
  std::printf("%zu frames, %zu bytes; %zu opened up to the break, %zu refused with a reason\n", frames.size(),
              whole.size(), opened, refused);
  return 0;
} catch (const std::exception& error) {
  std::printf("%s\n", error.what());
  return 1;
}
