#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "integration/tools/command.h"

namespace duet::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;
using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

Answer ask(const Words& arguments, const Variables& variables = {}) {
  Words all = {DUET_INFO};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return answer_of(all, variables);
}

Json ask_json(const Words& arguments, const Variables& variables = {}) {
  const Answer answer = ask(arguments, variables);
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_EQ(answer.err, "");
  return Json::parse(answer.out);
}

void expect_refusal(const Words& arguments, const std::string& words, const Variables& variables = {}) {
  SCOPED_TRACE(words);
  const Answer answer = ask(arguments, variables);
  EXPECT_GT(answer.exit_code, 0);
  EXPECT_LT(answer.exit_code, 126);
  EXPECT_EQ(answer.out, "");
  EXPECT_THAT(answer.err, AllOf(StartsWith("duet-info: "), HasSubstr(words)));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
}

TEST(DuetInfoTopology, GivesExactlyTheConstantsAsJson) {
  const Json ring = ask_json({"topology", "--graph", "ring", "--workers", "64", "--rate", "1", "--json"});
  std::set<std::string> keys;
  for (const auto& [key, value] : ring.items())
    keys.insert(key);
  EXPECT_EQ(keys, (std::set<std::string>{"graph", "workers", "edges", "rate", "chi1", "chi2", "eta", "alpha",
                                         "alpha_tilde"}));
  EXPECT_EQ(ring["graph"], "ring");
  EXPECT_EQ(ring["workers"], 64);
  EXPECT_EQ(ring["edges"], 64);
  EXPECT_EQ(ring["rate"], 1.0);
  EXPECT_NEAR(ring["chi1"].get<double>(), 207.6725, 1e-4);
  EXPECT_NEAR(ring["chi2"].get<double>(), 0.984375, 1e-6);
  EXPECT_NEAR(ring["eta"].get<double>(), 0.03497, 1e-5);
  EXPECT_EQ(ring["alpha"], 0.5);
  EXPECT_NEAR(ring["alpha_tilde"].get<double>(), 7.2624, 1e-4);
  EXPECT_EQ(ask_json({"topology", "--graph", "complete", "--workers", "100000", "--json"})["edges"],
            4999950000);
}

// What the theory gives at rate 1, to four digits.
TEST(DuetInfoTopology, GivesTheKnownValues) {
  struct Known {
    const char* graph;
    int workers;
    double chi1, chi2, eta, alpha_tilde;
  };
  constexpr Known kKnown[] = {
      {"ring", 4, 1.0, 0.75, 0.57735, 0.57735},
      {"ring", 16, 13.1371, 0.9375, 0.14247, 1.8717},
      {"ring", 64, 207.6725, 0.9844, 0.03497, 7.2624},
      {"exponential", 16, 1.75, 0.9571, 0.3863, 0.6761},
      {"exponential-paper", 16, 2.0, 1.0097, 0.35186, 0.7037},
      {"star", 16, 15.0, 7.5, 0.047140, 0.70711},
      {"complete", 2, 0.5, 0.5, 1.0, 0.5},
      {"complete", 16, 0.9375, 0.9375, 0.53333, 0.5},
      {"complete", 64, 0.984375, 0.984375, 0.50794, 0.5},
  };
  // Half a unit of the fourth digit, whatever the size.
  const auto expect_four_digits = [](double value, double known) {
    const double unit = std::pow(10.0, std::floor(std::log10(known)) - 3.0);
    EXPECT_NEAR(value, known, 0.5 * unit + 1e-9);
  };
  for (const Known& known : kKnown) {
    SCOPED_TRACE(std::string(known.graph) + " of " + std::to_string(known.workers));
    const Json found = ask_json({"topology", "--graph", known.graph, "--workers",
                                 std::to_string(known.workers), "--rate", "1", "--json"});
    expect_four_digits(found["chi1"].get<double>(), known.chi1);
    expect_four_digits(found["chi2"].get<double>(), known.chi2);
    expect_four_digits(found["eta"].get<double>(), known.eta);
    expect_four_digits(found["alpha_tilde"].get<double>(), known.alpha_tilde);
    EXPECT_EQ(found["alpha"], 0.5);
  }
}

TEST(DuetInfoTopology, SaysPlainlyWhenThereIsNothingToAccelerate) {
  const Answer complete = ask({"topology", "--graph", "complete", "--workers", "8"});
  EXPECT_EQ(complete.exit_code, 0);
  EXPECT_THAT(complete.out, AllOf(HasSubstr("nothing to accelerate"), HasSubstr("alpha_tilde 0.5 ")));
  const Answer ring = ask({"topology", "--graph", "ring", "--workers", "16"});
  EXPECT_THAT(ring.out,
              AllOf(HasSubstr("13.1371"), HasSubstr("1.87169"), Not(HasSubstr("nothing to accelerate"))));
}

TEST(DuetInfoTopology, ListsEdgesThatItReadsAgain) {
  const Answer edges = ask({"topology", "--graph", "star", "--workers", "5", "--rate", "0.7", "--edges"});
  EXPECT_EQ(edges.exit_code, 0);
  const std::string path = ::testing::TempDir() + "duet_info_edges_" + std::to_string(::getpid());
  std::ofstream(path) << edges.out;
  Json again = ask_json({"topology", "--graph", "file:" + path, "--workers", "5", "--json"});
  std::filesystem::remove(path);
  const Json star = ask_json({"topology", "--graph", "star", "--workers", "5", "--rate", "0.7", "--json"});
  for (const char* key : {"chi1", "chi2", "eta", "alpha_tilde"}) {
    EXPECT_NEAR(again[key].get<double>(), star[key].get<double>(), 1e-9) << key;
  }
}

TEST(DuetInfoTopology, RefusesBadInputInOneLine) {
  expect_refusal({"topology", "--graph", "ring", "--workers", "1"}, "--workers 1");
  expect_refusal({"topology", "--graph", "ring", "--workers", "0"}, "--workers 0");
  expect_refusal({"topology", "--graph", "ring", "--workers", "-4"}, "--workers -4");
  expect_refusal({"topology", "--graph", "ring", "--workers", "many"}, "many");
  expect_refusal({"topology", "--graph", "ring"}, "--workers");
  expect_refusal({"topology", "--graph", "moebius", "--workers", "4"}, "unknown graph \"moebius\"");
  expect_refusal({"topology", "--graph", "torus", "--workers", "7"}, "prime");
  expect_refusal({"topology", "--graph", "file:/no/such/file", "--workers", "7"}, "/no/such/file");
  expect_refusal({"topology", "--workers", "4", "--rate", "0"}, "rate = 0");
  expect_refusal({"topology", "--workers", "4", "--rate", "nan"}, "rate = nan");
  expect_refusal({"topology", "--workers", "4", "--rate", "1e-320"}, "from 1e-6 to 1e6");
  expect_refusal({"topology", "--workers", "4", "--rate", "1e300"}, "from 1e-6 to 1e6");
  expect_refusal({"topology", "--graph", "random-regular:3", "--workers", "3000"}, "up to 2000");
  expect_refusal({"topology", "--graph", "complete", "--workers", "100000", "--edges"}, "too many");
  expect_refusal({"topology", "--workers", "4", "--frobnicate"}, "frobnicate");
  expect_refusal({}, "subcommand");
  expect_refusal({"gossip"}, "gossip");
}

TEST(DuetInfoTopology, AnswersForLargeGraphsAtOnce) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* graph : {"ring", "path", "star", "complete", "torus", "exponential"}) {
    ask_json({"topology", "--graph", graph, "--workers", "100000", "--json"});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(DuetInfoPlugins, FindsTheBuiltInTransport) {
  const Json plugins = ask_json({"plugins", "--json"})["plugins"];
  const auto inproc =
      std::find_if(plugins.begin(), plugins.end(), [](const Json& one) { return one["name"] == "inproc"; });
  ASSERT_NE(inproc, plugins.end());
  EXPECT_EQ((*inproc)["viable"], true);
  EXPECT_EQ((*inproc)["path"], "built in");
  EXPECT_NE((*inproc)["version"], "");
  const Answer text = ask({"plugins"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, AllOf(HasSubstr("inproc\n"), HasSubstr("built in"), HasSubstr("host memory")));
}

TEST(DuetInfoPlugins, SurvivesPluginsThatDoNot) {
  const Json plugins =
      ask_json({"plugins", "--json", "--patience", "1", "--plugin-path", MISBEHAVING_PLUGINS})["plugins"];
  std::map<std::string, std::string> reasons;
  for (const Json& one : plugins) {
    if (!one["path"].get<std::string>().starts_with(MISBEHAVING_PLUGINS)) continue;
    EXPECT_EQ(one["viable"], false) << one;
    reasons[one["name"]] = one["reason"];
  }
  EXPECT_THAT(reasons["crash"], AllOf(HasSubstr("crashed"), HasSubstr("signal 6")));
  EXPECT_THAT(reasons["exit"], HasSubstr("ended the process"));
  EXPECT_THAT(reasons["hang"], HasSubstr("did not come back within 1000 ms"));
  EXPECT_NE(reasons["silent"], "");
  EXPECT_THAT(ask({"plugins", "--patience", "1", "--plugin-path", MISBEHAVING_PLUGINS}).out,
              AllOf(HasSubstr("crash  NOT USABLE"), HasSubstr("inproc\n")));
}

TEST(DuetInfoPlugins, AsksTheChosenTransportWithItsSettings) {
  const Answer answer =
      ask({"plugins", "--json", "--transport", "inproc", "--transport-settings", "colour=blue"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_THAT(answer.err, HasSubstr("\"inproc\" with colour=blue cannot be used here: "));
  const Json plugins = Json::parse(answer.out)["plugins"];
  EXPECT_EQ(plugins[0]["name"], "inproc");
  EXPECT_EQ(plugins[0]["viable"], false);
  EXPECT_THAT(plugins[0]["reason"].get<std::string>(), HasSubstr("colour"));
  expect_refusal({"plugins", "--transport-settings", "colour"}, "\"colour\" has no \"=\"");
  expect_refusal({"plugins", "--transport", "libfabric:"}, "provider");
}

TEST(DuetInfoPlugins, SaysWhetherTheOneThatIsAskedForCanBeUsed) {
  ask_json({"plugins", "--json", "--transport", "inproc"});
  ask_json({"plugins", "--json", "--transport", "auto"});
  const auto refused = [](const Words& arguments, const Variables& variables, const std::string& words) {
    Words all = {"plugins", "--json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Answer answer = ask(all, variables);
    EXPECT_EQ(answer.exit_code, 1);
    EXPECT_TRUE(Json::parse(answer.out).contains("plugins"));
    EXPECT_THAT(answer.err, AllOf(StartsWith("duet-info: "), HasSubstr(words)));
    EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  };
  refused({"--transport", "pigeon"}, {}, "no transport \"pigeon\", only inproc");
  refused({"--transport", ""}, {}, "--transport is empty");
  refused({}, {{"DUET_TRANSPORT", "pigeon"}}, "no transport \"pigeon\"");
  refused({"--transport", "inproc:tcp"}, {}, "\"inproc:tcp\" cannot be used here");
  refused({"--transport", "auto", "--transport-settings", "a=b"}, {}, "name it");
  refused({"--transport", "/tmp/libduet_transport_x.so"}, {}, "--plugin-path FOLDER");
}

TEST(DuetInfoPlugins, RefusesAFolderThatIsNotThere) {
  expect_refusal({"plugins", "--plugin-path", "/no/such/folder"}, "/no/such/folder");
}

TEST(DuetInfoEnvironment, ShowsEachValueWithItsOrigin) {
  const Variables variables = {{"RANK", "1"},
                               {"LOCAL_RANK", "1"},
                               {"WORLD_SIZE", "4"},
                               {"LOCAL_WORLD_SIZE", "4"},
                               {"MASTER_ADDR", "node0"},
                               {"DUET_GRAPH", "star"},
                               {"DUET_SECRET", "hunter2-hunter2"}};
  const Json list = ask_json({"environment", "--json"}, variables)["options"];
  std::map<std::string, std::string> shown;
  for (const Json& one : list) {
    shown[one["name"]] = one["value"].get<std::string>() + " from " + one["origin"].get<std::string>();
  }
  EXPECT_EQ(shown["rank"], "1 from torchrun: RANK");
  EXPECT_EQ(shown["rendezvous"], "seed://127.0.0.1:29650 from torchrun: one machine");
  EXPECT_EQ(shown["graph"], "star from DUET_GRAPH");
  EXPECT_EQ(shown["secret"], "(hidden) from DUET_SECRET");
  EXPECT_FALSE(shown.contains("rate"));
  const Answer text = ask({"environment", "--all"}, variables);
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("torchrun: WORLD_SIZE"), HasSubstr("default"), Not(HasSubstr("hunter2"))));
}

TEST(DuetInfoEnvironment, NamesVariablesThatAreNoSettings) {
  const Answer answer = ask({"environment", "--json"}, {{"DUET_BOGUS", "1"}, {"DUET_GRAHP", "ring"}});
  EXPECT_EQ(answer.exit_code, 0);
  EXPECT_TRUE(Json::parse(answer.out).contains("options"));
  EXPECT_THAT(answer.err, AllOf(HasSubstr("duet-info: DUET_BOGUS is no setting and is ignored\n"),
                                HasSubstr("did you mean DUET_GRAPH?\n")));
}

TEST(DuetInfoEnvironment, RefusesWhatAWorkerWouldRefuse) {
  expect_refusal({"environment"}, "DUET_RATE=fast", {{"DUET_RATE", "fast"}});
  const Answer answer = ask({"environment"}, {{"DUET_BIND", "0.0.0.0"}});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_THAT(answer.out, HasSubstr("0.0.0.0"));
  EXPECT_THAT(answer.err, HasSubstr("DUET_SECRET"));
}

}  // namespace
}  // namespace duet::testing
