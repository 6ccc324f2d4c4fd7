#include "blas.h"

#include <dlfcn.h>

#include "duet/error.h"

namespace samples {

bool takes_threads(std::optional<int> openblas_parallel) {
  return openblas_parallel != 0;
}

std::optional<int> openblas_parallel() {
  // By name: which BLAS it is, is decided where the program runs, not where it was built.
  const auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_parallel"));
  if (get == nullptr) return std::nullopt;
  return get();
}

void require_blas_for_threads() {
  if (takes_threads(openblas_parallel())) return;
  throw duet::ConfigurationError(
      "--workers and --threads compute with several threads, but LibTorch's BLAS here is an OpenBLAS without "
      "locks (libopenblas0-serial), whose products are wrong when two of them call it: install "
      "libopenblas0-openmp, or start the workers as processes, with duet-run, of one thread each");
}

}  // namespace samples
