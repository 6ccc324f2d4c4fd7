#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "duet/error.h"
#include "duet/log.h"
#include "duet/options.h"
#include "options/misspelt.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::string refusal(const std::string& variable, const std::string& value) {
  try {
    Options::from_variables({{variable, value}});
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no refusal";
}

std::string origin(const Options& options, const std::string& name) {
  for (const auto& source : options.origins()) {
    if (source.name == name) return source.value + " from " + source.origin;
  }
  return "no such setting";
}

/// Another valid value for every setting: a setting that is new to the table must come here too.
const std::map<std::string, std::string> kOther = {{"rank", "0"},
                                                   {"world_size", "1"},
                                                   {"local_rank", "0"},
                                                   {"run_id", "night"},
                                                   {"rendezvous", "file:/shared/run"},
                                                   {"bind", "127.0.0.2"},
                                                   {"secret", "correct horse"},
                                                   {"insecure", "1"},
                                                   {"seed_timeout", "1.5"},
                                                   {"join_timeout", "2.5"},
                                                   {"algorithm", "adpsgd"},
                                                   {"graph", "torus:2x4"},
                                                   {"rate", "0.25"},
                                                   {"clock", "wall"},
                                                   {"pairing", "fifo"},
                                                   {"deterministic_budget", "1"},
                                                   {"unlimited_budget", "1"},
                                                   {"keep_start", "1"},
                                                   {"seed", "18446744073709551615"},
                                                   {"transport", "libfabric:tcp"},
                                                   {"transport_settings", "interface=lo,port_range=1-9"},
                                                   {"plugin_path", "/a:/b"},
                                                   {"faults", "delay=0.1"},
                                                   {"wire", "bfloat16"},
                                                   {"block_bytes", "4096"},
                                                   {"blocks_in_flight", "2"},
                                                   {"meeting_timeout", "3"},
                                                   {"connect_timeout", "4"},
                                                   {"sample_goal", "1000000000000"},
                                                   {"finish_timeout", "5"},
                                                   {"average_timeout", "6"},
                                                   {"heartbeat_interval", "0.5"},
                                                   {"gone_after", "7"},
                                                   {"telemetry_interval", "0"},
                                                   {"telemetry_port", "29900"},
                                                   {"metrics_port", "off"}};

TEST(Settings, EachTakesItsVariableAndTellsItBack) {
  ASSERT_EQ(Options::settings().size(), kOther.size());
  for (const Options::Setting& setting : Options::settings()) {
    SCOPED_TRACE(setting.name);
    ASSERT_TRUE(kOther.contains(setting.name));
    const std::string& value = kOther.at(setting.name);
    EXPECT_FALSE(setting.help.empty());
    EXPECT_FALSE(setting.expected.empty());
    Options options;
    options.set(setting.name, value);
    EXPECT_EQ(options.get(setting.name), setting.name == "secret" ? "(hidden)" : value);
    EXPECT_NO_THROW(options.validate());
    if (setting.variable.empty()) continue;
    const Options from_variable =
        Options::from_variables({{setting.variable, value}, {"DUET_WORLD_SIZE", "1"}});
    EXPECT_EQ(from_variable.get(setting.name), options.get(setting.name));
    EXPECT_THAT(origin(from_variable, setting.name), HasSubstr("from " + setting.variable));
  }
}

TEST(Settings, HaveTheDefaultsOfTheStruct) {
  const Options options = Options::from_variables({});
  for (const Options::Setting& setting : Options::settings()) {
    EXPECT_EQ(options.get(setting.name), setting.standard) << setting.name;
  }
  EXPECT_NO_THROW(options.validate());
  EXPECT_EQ(origin(options, "rate"), "1 from default");
}

TEST(Settings, RefuseGarbageWithVariableAndValue) {
  EXPECT_THAT(refusal("DUET_RATE", "fast"),
              AllOf(HasSubstr("DUET_RATE=fast"), HasSubstr("positive number from 1e-6 to 1e6")));
  for (const auto& [name, other] : kOther) {
    if (name == "plugin_path") continue;
    std::string variable = "DUET_" + name;
    for (char& c : variable)
      c = static_cast<char>(std::toupper(c));
    EXPECT_THAT(refusal(variable, ""), AllOf(HasSubstr(variable), HasSubstr("is empty"))) << name;
  }
  const std::vector<std::pair<const char*, const char*>> bad = {
      {"DUET_RATE", "-1"},
      {"DUET_RATE", "0"},
      {"DUET_RATE", "nan"},
      {"DUET_RATE", "inf"},
      {"DUET_RATE", "1,5"},
      {"DUET_RATE", "1e999"},
      {"DUET_RATE", "1e-320"},
      {"DUET_RATE", "1e-7"},
      {"DUET_RATE", "1e7"},
      {"DUET_JOIN_TIMEOUT", "1e9"},
      {"DUET_TELEMETRY_INTERVAL", "1e9"},
      {"DUET_TELEMETRY_PORT", "65536"},
      {"DUET_TELEMETRY_PORT", "telemetry"},
      {"DUET_METRICS_PORT", "-2"},
      {"DUET_METRICS_PORT", "29700/metrics"},
      {"DUET_GRAPH", "moebius"},
      {"DUET_GRAPH", "file:"},
      {"DUET_CLOCK", "sundial"},
      {"DUET_PAIRING", "first"},
      {"DUET_ALGORITHM", "sgd"},
      {"DUET_WIRE", "int8"},
      {"DUET_INSECURE", "maybe"},
      {"DUET_SEED", "-1"},
      {"DUET_BLOCK_BYTES", "0"},
      {"DUET_BLOCK_BYTES", "6"},
      {"DUET_BLOCK_BYTES", "1T"},
      {"DUET_BLOCK_BYTES", "M"},
      {"DUET_BLOCKS_IN_FLIGHT", "0"},
      {"DUET_TRANSPORT", "lib fabric"},
      {"DUET_TRANSPORT", ":tcp"},
      {"DUET_TRANSPORT_SETTINGS", "interface"},
      {"DUET_TRANSPORT_SETTINGS", "interface=lo,"},
      {"DUET_TRANSPORT_SETTINGS", "interface=lo,interface=eth0"},
      {"DUET_RENDEZVOUS", "127.0.0.1:29650"},
      {"DUET_RENDEZVOUS", "seed://host"},
      {"DUET_RENDEZVOUS", "http://x:1"},
      {"DUET_BIND", "a b"},
      {"DUET_GONE_AFTER", "0"},
      {"DUET_TELEMETRY_INTERVAL", "-0.1"},
      {"DUET_BLOCK_BYTES", "99999999999G"},
  };
  for (const auto& [variable, value] : bad) {
    EXPECT_THAT(refusal(variable, value), HasSubstr(std::string(variable) + "=" + value + " is not "));
  }
}

TEST(Settings, ReadSizesWithUnits) {
  for (const auto& [text, bytes] :
       {std::pair("64KiB", 65536u), std::pair("64K", 65536u), std::pair("2M", 2097152u),
        std::pair("512", 512u), std::pair("512B", 512u)}) {
    EXPECT_EQ(Options::from_variables({{"DUET_BLOCK_BYTES", text}}).block_bytes, bytes) << text;
  }
}

TEST(Settings, NeverShowASecret) {
  Options options = Options::from_variables({{"DUET_SECRET", "hunter2 and more"}});
  EXPECT_EQ(options.secret, "hunter2 and more");
  EXPECT_EQ(options.get("secret"), "(hidden)");
  options.set("secret", "hunter2 again");
  for (const auto& list : {options.sources, options.origins()}) {
    for (const auto& source : list)
      EXPECT_THAT(source.value, Not(HasSubstr("hunter2")));
  }
  try {
    options.set("secret", "");
    FAIL();
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("secret"), Not(HasSubstr("hunter2"))));
  }
}

TEST(Settings, FromTheCommandLineOverrideTheEnvironment) {
  Options options = Options::from_variables({{"DUET_GRAPH", "star"}});
  EXPECT_EQ(origin(options, "graph"), "star from DUET_GRAPH");
  options.set("graph", "torus:2x2");
  EXPECT_EQ(origin(options, "graph"), "torus:2x2 from command line");
  EXPECT_EQ(options.graph, "torus:2x2");
  options.set("block-bytes", "1K", "train.ini");
  EXPECT_EQ(origin(options, "block_bytes"), "1024 from train.ini");
  options.rate = 3.0;
  EXPECT_EQ(origin(options, "rate"), "3 from program");
  std::set<std::string> names;
  for (const auto& source : options.sources)
    EXPECT_TRUE(names.insert(source.name).second) << source.name;
}

TEST(Settings, StayAsTheyAreWhenSetIsRefused) {
  Options options;
  try {
    options.set("rate", "-2");
    FAIL();
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("rate = -2"), HasSubstr("command line"), HasSubstr("positive")));
  }
  EXPECT_EQ(options.rate, 1.0);
  EXPECT_TRUE(options.sources.empty());
  EXPECT_THROW(options.set("colour", "red"), ConfigurationError);
  EXPECT_THROW(options.get("colour"), ConfigurationError);
}

TEST(Settings, ThatAreMisspeltAreNoticed) {
  EXPECT_THAT(options::find_unknown({{"DUET_GRAHP", "ring"},
                                     {"DUET_GRAPH", "ring"},
                                     {"DUET_LOG", "debug"},
                                     {"DUET_PLUGIN_PATH", "/x"},
                                     {"DUET_PICTURE_OF_A_CAT", "1"},
                                     {"GRAPH", "x"}}),
              ElementsAre(Pair("DUET_GRAHP", "DUET_GRAPH"), Pair("DUET_PICTURE_OF_A_CAT", "")));
}

TEST(Settings, ComeFromTheRealEnvironment) {
  std::string warnings;
  set_log_sink([&](LogLevel, std::string_view text) { warnings += text; });
  ::setenv("DUET_GRAPH", "path", 1);
  ::setenv("DUET_RTE", "2", 1);
  const Options options = Options::from_environment();
  ::unsetenv("DUET_GRAPH");
  ::unsetenv("DUET_RTE");
  set_log_sink({});
  EXPECT_EQ(options.graph, "path");
  EXPECT_THAT(warnings, AllOf(HasSubstr("DUET_RTE"), HasSubstr("DUET_RATE")));
}

}  // namespace
}  // namespace duet
