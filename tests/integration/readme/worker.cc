// The README's lines for the core alone, in the smallest program around them.
#include <duet/duet.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
#include "worker.inc"
  // All that it trains is a value that should come close to 1.
  for (const float value : x) {
    if (std::abs(value - 1.0F) > 0.01F) {
      std::fprintf(stderr, "trained to %f instead of 1\n", static_cast<double>(value));
      return 1;
    }
  }
  return 0;
}
