#include "steps.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace samples {
namespace {

constexpr int kMostSteps = 1000000000;

}  // namespace

int steps_from(int argc, char** argv, const char* program) {
  const std::string_view text = argc > 1 ? argv[1] : "2000";
  if (text == "-h" || text == "--help") {
    std::printf("usage: %s [steps]\n", program);
    std::exit(0);
  }
  int steps = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
  if (error != std::errc() || end != text.data() + text.size() || steps < 1 || steps > kMostSteps) {
    std::fprintf(stderr, "%s: steps must be a whole number from 1 to %d, not '%s'\n", program, kMostSteps,
                 argv[1]);
    std::exit(2);
  }
  return steps;
}

}  // namespace samples
