#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "integration/tools/command.h"
#include "sim/progress.h"

namespace duet::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

Answer simulate(const Words& arguments, std::chrono::seconds patience = std::chrono::seconds(60)) {
  Words all = {DUET_SIM};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return answer_of(all, {}, patience);
}

void expect_refusal(const Words& arguments, const std::string& words) {
  SCOPED_TRACE(words);
  const Answer answer = simulate(arguments);
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_EQ(answer.out, "");
  EXPECT_THAT(answer.err, AllOf(StartsWith("duet-sim: "), HasSubstr(words), EndsWith("\n")));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, at);)
    parts.push_back(part);
  return parts;
}

class DuetSim : public ::testing::Test {
 protected:
  DuetSim() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("duet_sim_" + std::to_string(::getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  ~DuetSim() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  static std::string contents(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::filesystem::path folder_;
};

TEST_F(DuetSim, GossipsAndReportsAsJson) {
  const std::string report = file("report.json");
  const Answer answer =
      simulate({"gossip", "--graph", "ring", "--workers", "16", "--seeds", "3", "--report", report});
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_EQ(answer.err, "") << "no progress bar where nobody sees it";
  EXPECT_THAT(answer.out,
              AllOf(HasSubstr("ring of 16"), HasSubstr("3 of 3 runs"), HasSubstr("meetings per worker")));
  const Json json = Json::parse(contents(report));
  EXPECT_EQ(json["settings"]["pairing"], "holdoff");
  EXPECT_EQ(json["summary"]["reached"], 3);
  ASSERT_EQ(json["runs"].size(), 3U);
  EXPECT_EQ(json["runs"][2]["seed"], 3);
  for (const Json& run : json["runs"]) {
    EXPECT_TRUE(run["reached"].get<bool>());
    EXPECT_LT(run["meetings"].get<double>(), 55.0);
    EXPECT_LT(run["invariant_drift"].get<double>(), 1e-5);
    EXPECT_EQ(run["curve"][0], Json({0.0, 0.0, 1.0}));
    EXPECT_LE(run["curve"].back()[2].get<double>(), 1e-6);
  }
}

TEST_F(DuetSim, TrainsAndReportsALineForEachRunAsCsv) {
  const std::string report = file("report.csv");
  const Answer answer =
      simulate({"train", "--workers", "8", "--steps", "100", "--seeds", "2", "--first-seed", "7",
                "--algorithm", "dpsgd", "--objective", "logistic", "--report", report});
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  std::stringstream lines(contents(report));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line,
            "seed,diverged,members,consensus,loss,last_consensus,last_loss,seconds,steps,meetings,seconds_to_"
            "target");
  for (const char* seed : {"7,0,", "8,0,"}) {
    std::getline(lines, line);
    EXPECT_THAT(line, StartsWith(seed));
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), 10);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(DuetSim, IsRepeatableHoweverManyRunsAtATime) {
  const Words words = {"gossip", "--workers",    "12",  "--seeds",   "4",      "--slow-edges",
                       "0.25:5", "--stragglers", "2:4", "--compute", "poisson"};
  Words one = words, all = words;
  one.insert(one.end(), {"--jobs", "1", "--report", file("one.json")});
  all.insert(all.end(), {"--jobs", "4", "--report", file("all.json")});
  EXPECT_EQ(simulate(one).exit_code, 0);
  EXPECT_EQ(simulate(all).exit_code, 0);
  EXPECT_EQ(contents(file("one.json")), contents(file("all.json")));
}

TEST_F(DuetSim, TakesEveryPairingClockAndAlgorithm) {
  for (const char* pairing : {"holdoff", "fifo", "memoryless", "target"}) {
    for (const char* clock : {"adaptive", "wall", "meetings"}) {
      const Answer answer = simulate({"gossip", "--workers", "4", "--seeds", "1", "--pairing", pairing,
                                      "--clock", clock, "--most-meetings", "300"});
      EXPECT_EQ(answer.exit_code, 0) << answer.err;
      EXPECT_THAT(answer.out, AllOf(HasSubstr(std::string("clock ") + clock + ", pairing " + pairing),
                                    HasSubstr("1 of 1 runs\n")));
    }
  }
  const Answer measured = simulate({"gossip", "--workers", "4", "--seeds", "1", "--constants", "measured"});
  EXPECT_EQ(measured.exit_code, 0) << measured.err;
  EXPECT_THAT(measured.out, HasSubstr("1 of 1 runs\n"));
  for (const char* algorithm : {"a2cid2", "adpsgd", "allreduce", "dpsgd", "local-sgd"}) {
    const Answer answer =
        simulate({"train", "--workers", "4", "--seeds", "1", "--steps", "30", "--algorithm", algorithm});
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
    EXPECT_THAT(answer.out, AllOf(HasSubstr(algorithm), HasSubstr("consensus distance")));
    EXPECT_THAT(answer.out, Not(HasSubstr("diverged")));
  }
}

TEST_F(DuetSim, RefusesBadInputInOneLine) {
  expect_refusal({"gossip", "--graph", "moebius"}, "moebius");
  expect_refusal({"gossip", "--workers", "1"}, "at least 2 workers");
  expect_refusal({"train", "--workers", "0"}, "at least 2 workers");
  expect_refusal({"gossip", "--workers", "many"}, "many");
  expect_refusal({"gossip", "--rate", "0"}, "--rate");
  expect_refusal({"train", "--rate", "-1"}, "--rate");
  expect_refusal({"gossip", "--rate", "nan"}, "--rate");
  for (const char* malformed : {"0.25", "0.25:", ":5", "0.25x5", "a:b", "0.25:5:1", "0.25:inf", ""})
    expect_refusal({"gossip", "--slow-edges=" + std::string(malformed)},
                   malformed[0] == 0 ? "slow-edges" : "FRACTION:FACTOR");
  expect_refusal({"gossip", "--slow-edges", "1.5:5"}, "FRACTION is from 0 to 1");
  expect_refusal({"gossip", "--slow-edges", "0.5:0"}, "FACTOR above 0");
  expect_refusal({"gossip", "--stragglers", "1.5:4"}, "K is a whole number");
  expect_refusal({"gossip", "--stragglers", "17:4"}, "from 0 to 16");
  expect_refusal({"train", "--algorithm", "sgp"}, "sgp");
  expect_refusal({"gossip", "--algorithm", "allreduce"}, "allreduce");
  expect_refusal({"gossip", "--clock", "sundial"}, "sundial");
  expect_refusal({"gossip", "--pairing", "lottery"}, "lottery");
  expect_refusal({"gossip", "--delivered", "0"}, "delivered");
  expect_refusal({"gossip", "--compute", "gamma"}, "gamma");
  expect_refusal({"gossip", "--constants", "guessed"}, "guessed");
  expect_refusal({"gossip", "--constants", "measured", "--crashes", "1"}, "use paper");
  expect_refusal(
      {"gossip", "--constants", "measured", "--pairing", "fifo", "--always-available", "--meeting-time", "1"},
      "fell apart");
  expect_refusal({"gossip", "--bytes", "1e6"}, "--bandwidth");
  expect_refusal({"train", "--record-every", "1e-9"}, "million");
  expect_refusal({"train", "--stop-at-target"}, "target loss");
  expect_refusal({"train", "--target-loss", "nan"}, "target loss");
  expect_refusal({"train", "--algorithm", "allreduce", "--dimension", "0"}, "dimension 0");
  expect_refusal({"gossip", "--wire", "int8"}, "int8");
  expect_refusal({"gossip", "--seeds", "0"}, "--seeds");
  expect_refusal({"gossip", "--reduction", "1"}, "share below 1");
  expect_refusal({"gossip", "--pairing", "memoryless", "--always-available"}, "memoryless");
  expect_refusal({"train", "--objective", "cubic"}, "cubic");
  expect_refusal({"train", "--steps", "0"}, "length of training");
  expect_refusal({"gossip", "--report", "results.txt"}, ".csv or .json");
  expect_refusal({"gossip", "--report", "/nowhere/at/all.csv"}, "/nowhere/at/all.csv");
  expect_refusal({"dance"}, "dance");
  expect_refusal({}, "subcommand");
  expect_refusal({"gossip", "--graf", "ring"}, "--graf");
}

TEST_F(DuetSim, RefusesAtOnceWhatWouldNeverEnd) {
  struct Case {
    const char* option;
    Words words;
  };
  const Case cases[] = {
      {"--spread", {"--compute", "lognormal", "--spread", "1e160"}},
      {"--stragglers", {"--stragglers", "1:1e-20"}},
      {"--stragglers", {"--stragglers", "1:1e7"}},
      {"--rate", {"--rate", "3e9"}},
      {"--rate", {"--rate", "1e8", "--pairing", "memoryless"}},
      {"--delivered", {"--delivered", "1e10"}},
      {"--latency",
       {"--graph", "complete", "--workers", "3", "--compute", "constant", "--deterministic-budget",
        "--latency", "0"}},
  };
  for (const char* command : {"gossip", "train"}) {
    for (const Case& refused : cases) {
      Words words = {command};
      words.insert(words.end(), refused.words.begin(), refused.words.end());
      expect_refusal(words, refused.option);
    }
  }
  expect_refusal({"gossip", "--rate", "1e-9"}, "--rate");
}

TEST_F(DuetSim, RefusesOptionsThatItWouldIgnore) {
  const Words ignored[] = {{"--compute", "constant"},
                           {"--spread", "0.1"},
                           {"--stragglers", "1:2"},
                           {"--deterministic-budget"},
                           {"--delivered", "1"}};
  for (const Words& option : ignored) {
    Words words = {"gossip", "--always-available"};
    words.insert(words.end(), option.begin(), option.end());
    expect_refusal(words, option.front());
  }
  expect_refusal({"gossip", "--always-available", "--clock", "wall"}, "--clock wall");
  EXPECT_EQ(simulate({"gossip", "--always-available", "--clock", "wall", "--algorithm", "adpsgd"}).exit_code,
            0);
  expect_refusal({"train", "--algorithm", "allreduce", "--pairing", "fifo"}, "--pairing");
  expect_refusal({"train", "--algorithm", "dpsgd", "--clock", "sundial"}, "--clock");
  expect_refusal({"train", "--algorithm", "local-sgd", "--wire", "bf16"}, "float32 only");
  expect_refusal({"gossip", "--bandwidth", "1e6"}, "--bytes");
  expect_refusal({"gossip", "--constants", "measured", "--clock", "wall", "--stragglers", "1:4"},
                 "--constants measured");
}

TEST_F(DuetSim, RunsThatDifferHaveSettingsThatDo) {
  const auto settings = [&](Words words) {
    words.insert(words.end(), {"--workers", "4", "--seeds", "1", "--report", file("report.json")});
    const Answer answer = simulate(words);
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
    return Json::parse(contents(file("report.json")))["settings"];
  };
  const Words of_both[] = {{"--eta-factor", "1.4"},
                           {"--alpha-tilde-factor", "0.9"},
                           {"--compute", "poisson"},
                           {"--spread", "0.1"},
                           {"--loss", "0.01"},
                           {"--latency", "1e-3"},
                           {"--crashes", "1"},
                           {"--gone-after", "3"},
                           {"--torn", "0.01:0.1"},
                           {"--wire", "bf16"},
                           {"--dimension", "8"},
                           {"--stragglers", "1:2"},
                           {"--slow-edges", "0.25:2"},
                           {"--deterministic-budget"},
                           {"--bytes", "1e6", "--bandwidth", "1e9"}};
  for (const char* command : {"gossip", "train"}) {
    Words words = {command};
    if (words.front() == "train") words.insert(words.end(), {"--steps", "10"});
    const Json usual = settings(words);
    for (const Words& option : of_both) {
      Words with = words;
      with.insert(with.end(), option.begin(), option.end());
      EXPECT_NE(settings(with), usual) << command << " " << option.front();
    }
  }
  const Words of_training[] = {
      {"--learning-rate", "0.05"}, {"--momentum", "0.5"},      {"--noise", "0.5"},
      {"--curvature", "0.1"},      {"--condition", "2"},       {"--batch", "4"},
      {"--weight-decay", "0.01"},  {"--target-loss", "1"},     {"--record-every", "1"},
      {"--heterogeneity", "1"},    {"--objective", "logistic"}};
  const Json usual = settings({"train", "--steps", "10"});
  for (const Words& option : of_training) {
    Words with = {"train", "--steps", "10"};
    with.insert(with.end(), option.begin(), option.end());
    EXPECT_NE(settings(with), usual) << option.front();
  }
  EXPECT_NE(settings({"gossip", "--most-meetings", "3000"}), settings({"gossip"}));
}

TEST_F(DuetSim, ReportsWhoDiedAndNoDriftThen) {
  const Answer answer = simulate({"gossip", "--workers", "8", "--seeds", "2", "--crashes", "2", "--reduction",
                                  "0", "--most-meetings", "200", "--report", file("report.json")});
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_THAT(answer.out, AllOf(HasSubstr("alive at the end      6 "), Not(HasSubstr("drift"))));
  const Json report = Json::parse(contents(file("report.json")));
  EXPECT_EQ(report["summary"]["members"], 6.0);
  for (const Json& run : report["runs"]) {
    EXPECT_EQ(run["members"], 6);
    EXPECT_TRUE(run["invariant_drift"].is_null());
    EXPECT_TRUE(run["mean_wander"].is_null());
  }
}

TEST_F(DuetSim, AHundredThousandWorkersMeetTenTimesEachInEightGigabytes) {
  const auto begin = std::chrono::steady_clock::now();
  const Answer answer = simulate({"gossip", "--graph", "torus", "--workers", "100000", "--reduction", "0",
                                  "--most-meetings", "10", "--seeds", "1", "--report", file("report.csv")},
                                 std::chrono::seconds(280));
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const double gigabytes = static_cast<double>(usage.ru_maxrss) / 1e6;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  RecordProperty("gigabytes", std::to_string(gigabytes));
  RecordProperty("seconds", std::to_string(took.count()));
  EXPECT_LT(gigabytes, 8.0);
  EXPECT_THAT(answer.out, HasSubstr("torus of 100000"));
  const std::vector<std::string> lines = split(contents(file("report.csv")), '\n');
  ASSERT_EQ(lines.size(), 2U);
  const std::vector<std::string> names = split(lines[0], ','), values = split(lines[1], ',');
  ASSERT_EQ(names.size(), values.size());
  const auto at = std::find(names.begin(), names.end(), "meetings");
  ASSERT_NE(at, names.end());
  EXPECT_GE(std::stod(values[static_cast<std::size_t>(at - names.begin())]), 10.0);
}

TEST(ProgressLine, ShowsHowFarAndHowLongStill) {
  EXPECT_EQ(sim::progress_line(0.0, 0, 8, 1.0), "[------------------------------]   0 %  0 of 8 runs");
  EXPECT_EQ(sim::progress_line(0.5, 4, 8, 60.0),
            "[###############---------------]  50 %  4 of 8 runs, about 1:00 left");
  EXPECT_EQ(sim::progress_line(1.0, 8, 8, 60.0), "[##############################] 100 %  8 of 8 runs");
  EXPECT_EQ(sim::progress_line(7.0, 8, 8, 60.0), "[##############################] 100 %  8 of 8 runs");
}

}  // namespace
}  // namespace duet::testing
