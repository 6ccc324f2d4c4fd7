#include <gtest/gtest.h>

#include <string>

#include "contract/peer_process.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--peer") return duet::contract::PeerProcess::run(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
