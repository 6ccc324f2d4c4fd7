#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "contract/peer_process.h"
#include "contract/sources.h"

/// test_contract [PATH…] [--gtest_…]: the suite for the built-in transports and the plugins that were built
/// with it; with paths, for the plugins in those files. DUET_CONTRACT_PLUGINS adds more
/// ("NAME=PATH[,KEY=VALUE…]", separated by '|').
int main(int argc, char** argv) {
  using namespace duet::contract;  // NOLINT: this function's whole subject
  if (const auto exit_code = PeerProcess::run_if_asked(argc, argv)) return *exit_code;
  try {
    std::vector<Source> sources;
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word.starts_with("--")) continue;
      sources.push_back(plugin_source("path_" + std::to_string(sources.size() + 1), word, {}));
    }
    const auto add = [&](const std::vector<Source>& more) {
      sources.insert(sources.end(), more.begin(), more.end());
    };
    if (sources.empty()) {
      add(built_in_sources());
      add(parse_sources(DUET_BUILT_PLUGINS));
    }
    const char* more = std::getenv("DUET_CONTRACT_PLUGINS");
    if (more != nullptr) add(parse_sources(more));
    use_sources(std::move(sources));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "test_contract: %s\n", error.what());
    return 2;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
