#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "duet/error.h"
#include "duet/options.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const Options& options) {
  try {
    options.validate();
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no refusal";
}

std::string refusal(const std::function<void(Options&)>& change) {
  Options options;
  options.world_size = 8;
  change(options);
  return refusal(options);
}

TEST(Validate, AcceptsTheDefaults) {
  EXPECT_EQ(refusal(Options{}), "no refusal");
  EXPECT_EQ(refusal([](Options&) {}), "no refusal");
}

TEST(Validate, NamesTheValueThatCannotBe) {
  EXPECT_THAT(refusal([](Options& options) { options.rate = NAN; }), HasSubstr("rate = nan (program)"));
  EXPECT_THAT(refusal([](Options& options) { options.rate = -1; }),
              HasSubstr("rate = -1 (program) is not a positive"));
  EXPECT_THAT(refusal([](Options& options) { options.rank = -1; }), HasSubstr("rank = -1"));
  EXPECT_THAT(refusal([](Options& options) { options.rank = 8; }), HasSubstr("rank = 8"));
  EXPECT_THAT(refusal([](Options& options) { options.local_rank = 8; }), HasSubstr("local_rank = 8"));
  EXPECT_THAT(refusal([](Options& options) { options.world_size = 0; }), HasSubstr("world_size = 0"));
  EXPECT_THAT(refusal([](Options& options) { options.clock = "sundial"; }),
              HasSubstr("adaptive, wall, meetings"));
  EXPECT_THAT(refusal([](Options& options) { options.algorithm = ""; }), HasSubstr("a2cid2"));
  EXPECT_THAT(refusal([](Options& options) { options.transport = ""; }), HasSubstr("transport"));
  EXPECT_THAT(refusal([](Options& options) { options.block_bytes = 10; }), HasSubstr("block_bytes = 10"));
  EXPECT_THAT(refusal([](Options& options) { options.bind = ""; }), HasSubstr("bind"));
  EXPECT_THAT(refusal([](Options& options) { options.rendezvous = ""; }), HasSubstr("DUET_RENDEZVOUS"));
  EXPECT_THAT(refusal([](Options& options) { options.rendezvous = "over there"; }),
              AllOf(HasSubstr("over there"), HasSubstr("seed://HOST:PORT")));
  EXPECT_THAT(refusal([](Options& options) { options.gone_after = 1.0; }),
              AllOf(HasSubstr("gone_after = 1"), HasSubstr("heartbeat_interval = 1")));
}

TEST(Validate, SaysWhichVariableAWrongValueCameFrom) {
  const Options options =
      Options::from_variables({{"DUET_RANK", "0"}, {"DUET_WORLD_SIZE", "7"}, {"DUET_GRAPH", "torus"}});
  EXPECT_THAT(refusal(options),
              AllOf(HasSubstr("graph = torus (DUET_GRAPH)"), HasSubstr("7 is a prime number")));
}

TEST(Validate, WantsASecretWhereOthersCanReachUs) {
  for (const char* bind : {"0.0.0.0", "10.1.2.3", "node7", "::", "eth0"}) {
    const auto with = [bind](const std::function<void(Options&)>& change) {
      return refusal([&](Options& options) {
        options.bind = bind;
        options.rendezvous = "seed://node0:29650";
        change(options);
      });
    };
    EXPECT_THAT(with([](Options&) {}),
                AllOf(HasSubstr(bind), HasSubstr("DUET_SECRET"), HasSubstr("DUET_INSECURE")));
    EXPECT_EQ(with([](Options& options) { options.secret = "s3cret"; }), "no refusal") << bind;
    EXPECT_EQ(with([](Options& options) { options.insecure = true; }), "no refusal") << bind;
  }
  for (const char* bind : {"127.0.0.1", "127.0.0.7", "localhost", "::1"}) {
    EXPECT_EQ(refusal([bind](Options& options) { options.bind = bind; }), "no refusal") << bind;
  }
}

TEST(Validate, RefusesASeedThatCannotBeReached) {
  EXPECT_THAT(refusal([](Options& options) { options.rendezvous = "seed://node0:29650"; }),
              AllOf(HasSubstr("seed://node0:29650"), HasSubstr("bind = 127.0.0.1 (default)"),
                    HasSubstr("DUET_BIND")));
  EXPECT_THAT(refusal([](Options& options) {
                options.bind = "10.0.0.5";
                options.insecure = true;
              }),
              AllOf(HasSubstr("bind = 10.0.0.5"), HasSubstr("does not listen there")));
  EXPECT_EQ(refusal([](Options& options) {
              options.bind = "0.0.0.0";
              options.insecure = true;
            }),
            "no refusal");
  // Alone, nobody has to be found.
  Options alone;
  alone.rendezvous = "seed://node0:29650";
  EXPECT_EQ(refusal(alone), "no refusal");
}

TEST(Validate, WantsAGraphThatFitsTheWorkers) {
  EXPECT_THAT(refusal([](Options& options) { options.graph = "torus:3x3"; }), HasSubstr("makes 9 workers"));
  EXPECT_THAT(refusal([](Options& options) { options.graph = "moebius"; }), HasSubstr("moebius"));
  EXPECT_EQ(refusal([](Options& options) { options.topology = Topology::make("star", 8); }), "no refusal");
  EXPECT_THAT(refusal([](Options& options) { options.topology = Topology::make("star", 9); }),
              AllOf(HasSubstr("9 workers"), HasSubstr("world_size = 8")));
  Options alone;
  alone.graph = "torus";
  EXPECT_EQ(refusal(alone), "no refusal");
}

}  // namespace
}  // namespace duet
