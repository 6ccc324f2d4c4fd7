#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "duet/error.h"
#include "duet/observer/source.h"

namespace duet::observer {
namespace {

TEST(Address, ReadsWhatPeopleType) {
  struct Good {
    std::string text, host;
    int port;
  };
  const std::vector<Good> good = {{"node0", "node0", 29800},
                                  {"node0:1234", "node0", 1234},
                                  {" 10.0.0.7:29801 ", "10.0.0.7", 29801},
                                  {"tcp://node-1.cluster.local:65535", "node-1.cluster.local", 65535},
                                  {"[::1]", "::1", 29800},
                                  {"[fe80::1%eth0]:29803", "fe80::1%eth0", 29803}};
  for (const Good& each : good) {
    std::string reason;
    const auto address = parse_address(each.text, &reason);
    ASSERT_TRUE(address) << each.text << ": " << reason;
    EXPECT_EQ(address->host, each.host);
    EXPECT_EQ(address->port, each.port);
    EXPECT_EQ(parse_address(address->text())->host, each.host);
  }
}

TEST(Address, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "type a worker's address"},
      {"   ", "type a worker's address"},
      {":29800", "host is missing"},
      {"node0:", "port is missing"},
      {"node0:http", "not a number"},
      {"node0:29800x", "not a number"},
      {"node0:0", "between 1 and 65535"},
      {"node0:70000", "between 1 and 65535"},
      {"node0:-1", "between 1 and 65535"},
      {"node0:99999999999999999999", "between 1 and 65535"},
      {"::1", "brackets"},
      {"fe80::1:29800", "brackets"},
      {"[::1", "']'"},
      {"[::1]29800", "after ']'"},
      {"[node0]:29800", "IPv6"},
      {"http://node0:29800", "http://"},
      {"node 0:29800", "no ' '"},
      {"node0/metrics", "no '/'"},
      {"nöde:29800", "a host's name"}};
  for (const auto& [text, part] : bad) {
    std::string reason;
    EXPECT_FALSE(parse_address(text, &reason)) << text;
    EXPECT_NE(reason.find(part), std::string::npos) << text << ": " << reason;
  }
}

TEST(Secret, IsAFilesFirstLineOrTheVariable) {
  const std::string path = testing::TempDir() + "/duet-secret-" + std::to_string(getpid());
  std::ofstream(path) << "the first line\nthe second\n";
  EXPECT_EQ(read_secret(path), "the first line");
  std::ofstream(path, std::ios::trunc);
  EXPECT_THROW(read_secret(path), ConfigurationError) << "an empty file is no secret";
  std::remove(path.c_str());
  EXPECT_THROW(read_secret(path), ConfigurationError);
  setenv("DUET_SECRET", "from the environment", 1);
  EXPECT_EQ(read_secret(), "from the environment");
  unsetenv("DUET_SECRET");
  EXPECT_EQ(read_secret(), "");
}

}  // namespace
}  // namespace duet::observer
