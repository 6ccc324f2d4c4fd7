#pragma once

#include <duet/duet.h>

#include <functional>
#include <string>
#include <vector>

/// Runs `workers` duet::Workers as threads of this process, over the in-process transport, each in `body`.
/// Returns what each thread threw, as text; empty: nothing.
std::vector<std::string> run_workers(int workers, const duet::Options& options,
                                     const std::function<void(duet::Options)>& body);

/// Options for such a run: inproc, a rendezvous name of its own, short deadlines.
duet::Options threads_options();

/// How much the caller asked for: the full counts with DUET_TEST_FULL, otherwise what fits into a short run.
int count(int quick, int full);
