#pragma once

#include <optional>

namespace samples {

/// Whether several threads may compute with a BLAS at the same time. openblas_parallel: what OpenBLAS's
/// openblas_get_parallel() says, 0 where it was built without threads (Debian's libopenblas0-serial): that
/// one has no locks either, and its products are wrong without a word when two threads call it at once.
/// Nothing: it is no OpenBLAS. Pure.
bool takes_threads(std::optional<int> openblas_parallel);

/// What the BLAS says that this process has loaded.
std::optional<int> openblas_parallel();

/// Throws ConfigurationError where threads must not compute with the loaded BLAS.
void require_blas_for_threads();

}  // namespace samples
