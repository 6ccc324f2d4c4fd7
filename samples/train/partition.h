#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace samples {

/// Which training samples each worker has when their data differ: of every label, the workers' shares are
/// drawn from Dirichlet(alpha, …, alpha) (Hsu, Qi, Brown 2019). alpha 0.1: most workers know few labels; 100:
/// nearly alike. Every sample belongs to exactly one worker, and nobody goes empty: who would, is given the
/// last sample of the richest. Pure: the same on all workers. Throws ConfigurationError: an alpha that is not
/// positive, fewer samples than workers.
std::vector<std::vector<std::size_t>> dirichlet_partition(const std::vector<int>& labels, int workers,
                                                          double alpha, std::uint64_t seed);

}  // namespace samples
