#include "transport/plugin_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "duet/transports.h"
#include "transport/selection.h"
#include "transport/services.h"

namespace duet::transport {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string built(const std::string& variant) {
  return std::string(DUET_TEST_PLUGINS) + "/" + variant + ".so";
}

/// Directories with plugins in them, under a name of our choice.
class PluginHostTest : public ::testing::Test {
 protected:
  PluginHostTest() {
    std::string name = (fs::temp_directory_path() / "duet-plugins-XXXXXX").string();
    root_ = mkdtemp(name.data());
    unsetenv("DUET_PLUGIN_PATH");
  }
  ~PluginHostTest() override {
    unsetenv("DUET_PLUGIN_PATH");
    fs::remove_all(root_);
  }

  std::string directory(const std::string& name) {
    fs::create_directories(root_ / name);
    return (root_ / name).string();
  }
  /// A directory in which the plugin "tiny" is the variant.
  std::string with(const std::string& variant) {
    const std::string made = directory(variant);
    fs::copy_file(built(variant), fs::path(made) / plugin_file_name("tiny"),
                  fs::copy_options::overwrite_existing);
    return made;
  }
  std::string failure(const std::string& name, const std::vector<std::string>& path) {
    try {
      load_transport(name, path);
    } catch (const TransportError& error) {
      return error.what();
    }
    ADD_FAILURE() << name << " was loaded";
    return {};
  }

  fs::path root_;
};

TEST_F(PluginHostTest, FindsAPluginByNameAndByPath) {
  const auto by_name = load_transport("tiny", {directory("empty"), with("good")});
  EXPECT_EQ(by_name->name(), "tiny");
  EXPECT_EQ(by_name->path(), fs::canonical(root_ / "good" / plugin_file_name("tiny")));
  EXPECT_EQ(load_transport(built("good"), {})->name(), "tiny");
  // The path of a file is followed even where a search by name would object.
  EXPECT_EQ(load_transport(built("misnamed"), {})->name(), "giant");
}

TEST_F(PluginHostTest, SearchesPluginPathThenTheEnvironmentThenBesideTheLibrary) {
  const std::string first = with("good"), second = with("newer");
  setenv("DUET_PLUGIN_PATH", (directory("empty") + ":" + second).c_str(), 1);
  EXPECT_EQ(load_transport("tiny", {first})->path(), fs::canonical(first + "/" + plugin_file_name("tiny")));
  EXPECT_EQ(load_transport("tiny", {})->path(), fs::canonical(second + "/" + plugin_file_name("tiny")));

  const auto places = search_places({first}, second);
  ASSERT_GE(places.size(), 3u);
  EXPECT_EQ(places[0].origin, "plugin_path");
  EXPECT_EQ(places[1].origin, "DUET_PLUGIN_PATH");
  std::vector<std::string> rest;
  for (std::size_t i = 2; i < places.size(); ++i)
    rest.push_back(places[i].directory);
  // This program is in build/<preset>/tests, the plugins in build/<preset>/lib/duet.
  const fs::path program = fs::read_symlink("/proc/self/exe");
  EXPECT_THAT(rest, Contains((program.parent_path().parent_path() / "lib/duet").string()));
}

TEST_F(PluginHostTest, EachDirectoryIsSearchedOnceAndNeverTheCurrentOne) {
  const std::string good = with("good");
  fs::create_symlink(good, root_ / "link");
  const auto places =
      search_places({good, (root_ / "link").string(), "", ".", "plugins"}, good + "::lib/duet");
  std::vector<std::string> searched, refused;
  for (const SearchPlace& place : places)
    (place.refusal.empty() ? searched : refused).push_back(place.directory);
  EXPECT_EQ(std::count(searched.begin(), searched.end(), fs::canonical(good).string()), 1);
  EXPECT_THAT(refused, ElementsAre("\"\"", ".", "plugins", "\"\"", "lib/duet"));

  const fs::path before = fs::current_path();
  fs::current_path(good);
  const std::string report = failure("tiny", {"."});
  fs::current_path(before);
  EXPECT_THAT(report, HasSubstr("give an absolute path"));
}

TEST_F(PluginHostTest, AnEmptyEnvironmentVariableIsNoEntry) {
  for (const SearchPlace& place : search_places({}, ""))
    EXPECT_EQ(place.refusal, "") << place.directory;
}

TEST_F(PluginHostTest, ReportsEveryPlaceThatWasLookedAt) {
  const std::string empty = directory("empty");
  setenv("DUET_PLUGIN_PATH", (root_ / "missing").c_str(), 1);
  const std::string report = failure("libnothing", {empty});
  EXPECT_THAT(report, HasSubstr("no usable transport \"libnothing\""));
  EXPECT_THAT(report, HasSubstr(empty + "/libduet_transport_libnothing.so (plugin_path): no such file"));
  EXPECT_THAT(report,
              HasSubstr("missing/libduet_transport_libnothing.so (DUET_PLUGIN_PATH): no such directory"));
  EXPECT_THAT(report, HasSubstr("DUET_PLUGIN_PATH."));
}

TEST_F(PluginHostTest, TheFirstFileDecidesAndIsNotReplacedByAnother) {
  const std::string bad = with("null_slot"), good = with("good");
  const std::string report = failure("tiny", {bad, good});
  EXPECT_THAT(report, HasSubstr(bad));
  EXPECT_THAT(report, HasSubstr("lacks poll"));
  EXPECT_THAT(report, HasSubstr(good));
  EXPECT_THAT(report, HasSubstr("not tried"));
}

TEST_F(PluginHostTest, NamesThatAreNoNamesAreRefused) {
  EXPECT_THAT(failure("", {}), HasSubstr("not the name"));
  EXPECT_THAT(failure("..", {}), HasSubstr("not the name"));
  EXPECT_THAT(failure("tiny.so", {}), HasSubstr("not the name"));
  EXPECT_THAT(failure("/no/such/plugin.so", {}),
              AllOf(HasSubstr("/no/such/plugin.so"), HasSubstr("No such file")));
}

TEST_F(PluginHostTest, TheEntryPointIsCalledOnceUnderAnyName) {
  const std::string good = with("good");
  const auto first = load_transport("tiny", {good});
  const std::uint64_t entries = counters()["tiny_entries"];
  EXPECT_GE(entries, 1u);
  fs::create_symlink(good + "/" + plugin_file_name("tiny"), root_ / "another.so");
  EXPECT_EQ(load_transport((root_ / "another.so").string(), {}), first);
  EXPECT_EQ(load_transport("tiny", {good}), first);
  EXPECT_EQ(counters()["tiny_entries"], entries);
}

struct Broken {
  const char* variant;
  const char* says;
};
std::ostream& operator<<(std::ostream& out, const Broken& broken) {
  return out << broken.variant;
}

class BrokenPlugin : public PluginHostTest, public ::testing::WithParamInterface<Broken> {};

TEST_P(BrokenPlugin, IsTurnedDownWithTheReason) {
  const std::string where = with(GetParam().variant);
  const std::string report = failure("tiny", {where});
  EXPECT_THAT(report, HasSubstr(GetParam().says));
  EXPECT_THAT(report, HasSubstr(where));
  EXPECT_EQ(failure("tiny", {where}), report) << "the second time says the same";
}

INSTANTIATE_TEST_SUITE_P(
    Ways, BrokenPlugin,
    ::testing::Values(Broken{"wrong_major", "speaks version 2.0 of the plugin ABI, this host speaks 1.0"},
                      Broken{"truncated", "lacks connect, accept, connection_state"},
                      Broken{"headless", "its table has 8 bytes"}, Broken{"null_slot", "lacks poll"},
                      Broken{"half_pair", "lacks arm (wait_descriptor is there)"},
                      Broken{"no_symbol", "has no symbol duet_transport_plugin"},
                      Broken{"declines", "declined: wrong moon phase"},
                      Broken{"declines_silently", "it gave no reason"},
                      Broken{"endless_reason", "declined: xxx"}, Broken{"misnamed", "calls itself \"giant\""},
                      Broken{"unresolved", "no_library_has_this_function"},
                      Broken{"throws_in_entry", "threw an exception in its entry point: nobody caught me"}),
    [](const auto& tested) { return tested.param.variant; });

TEST_F(PluginHostTest, AFileThatIsNoSharedObjectIsTurnedDown) {
  const std::string where = directory("text");
  std::ofstream(where + "/" + plugin_file_name("tiny")) << std::string(4096, 'a');
  EXPECT_THAT(failure("tiny", {where}), HasSubstr("(plugin_path): invalid ELF header"));
  const std::string empty = directory("nothing");
  std::ofstream(empty + "/" + plugin_file_name("tiny"));
  EXPECT_THAT(failure("tiny", {empty}), HasSubstr("file too short"));
}

TEST_F(PluginHostTest, ALaterMinorVersionLoads) {
  const auto newer = load_transport("tiny", {with("newer")});
  EXPECT_EQ(newer->table().abi_minor, 7u);
}

TEST_F(PluginHostTest, SlotsBeyondTheTablesSizeDoNotCount) {
  const auto older = load_transport("tiny", {with("older")});
  EXPECT_EQ(older->table().wait_descriptor, nullptr);
  EXPECT_EQ(older->table().arm, nullptr);
  EXPECT_EQ(older->table().last_error, nullptr);
  Context context(older, {});
  EXPECT_EQ(context.descriptor(), -1);
  std::uint64_t timeout = 5;
  EXPECT_TRUE(context.arm(timeout));
  EXPECT_EQ(timeout, 5u);
  EXPECT_EQ(context.poll(0), 0u);
}

TEST_F(PluginHostTest, AContextSaysWhyItCannotBeOpened) {
  const auto failure_to_open = [&](const std::string& variant) -> std::string {
    try {
      Context context(load_transport("tiny", {with(variant)}), {});
    } catch (const TransportError& error) {
      return error.what();
    }
    return "opened";
  };
  EXPECT_THAT(failure_to_open("not_viable"), AllOf(HasSubstr("tiny"), HasSubstr("no such hardware")));
  EXPECT_THAT(
      failure_to_open("throws_in_probe"),
      AllOf(HasSubstr("tiny"), HasSubstr("threw an exception while it was probed: nobody caught me")));
  EXPECT_THAT(failure_to_open("no_address"),
              AllOf(HasSubstr("tiny"), HasSubstr("no address"), HasSubstr("broken")));
}

TEST_F(PluginHostTest, AnExceptionFromAnyCallIntoAStrangerStaysOne) {
  // Of a plugin that is asked whether it knows a setting, …
  Wanted wanted;
  wanted.transport = "tiny";
  wanted.plugin_path = {with("throws_in_probe")};
  wanted.interface = "127.0.0.1";
  EXPECT_THROW(open_contexts(wanted), TransportError);
  // … and of one that is to register memory: it does without.
  Context context(load_transport("tiny", {with("throws_in_register")}), {});
  int value = 0;
  EXPECT_EQ(context.register_memory(&value, sizeof value), nullptr);
}

TEST_F(PluginHostTest, ThePluginsSignalHandlersDoNotStay) {
  const auto old = std::signal(SIGTERM, SIG_IGN);
  Context context(load_transport("tiny", {with("takes_signals")}), {});
  EXPECT_EQ(std::signal(SIGTERM, old), SIG_IGN);
}

using PluginHostDeathTest = PluginHostTest;

TEST_F(PluginHostDeathTest, ACrashingProbeIsExplainedBeforeTheProcessEnds) {
  const std::string where = with("crashes_in_probe");
  // The signal still ends the process as it would have.
  EXPECT_EXIT(Context(load_transport("tiny", {where}), {}), ::testing::KilledBySignal(SIGABRT),
              "transport plugin .*libduet_transport_tiny.so crashed while it was probed");
}

TEST_F(PluginHostDeathTest, AnEmbeddersOwnHandlerStillHasTheLastWord) {
  const std::string where = with("crashes_in_probe");
  const auto crash = [&] {
    std::signal(SIGABRT, [](int) { ::_exit(77); });
    Context context(load_transport("tiny", {where}), {});
  };
  EXPECT_EXIT(crash(), ::testing::ExitedWithCode(77), "crashed while it was probed");
}

TEST_F(PluginHostTest, ACallIntoAPluginLeavesSignalHandlersAsTheyWere) {
  const auto handler = [](int) {};
  std::signal(SIGSEGV, handler);
  Context context(load_transport("tiny", {with("good")}), {});
  EXPECT_EQ(std::signal(SIGSEGV, SIG_DFL), static_cast<sighandler_t>(handler));
}

TEST_F(PluginHostTest, ABrokenContextThrowsFromPollWithTheCause) {
  Context context(load_transport("tiny", {with("breaks")}), {});
  try {
    context.poll(0);
    FAIL() << "poll went on";
  } catch (const TransportError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("tiny"), HasSubstr("the cable is out"), HasSubstr("5")));
  }
}

TEST_F(PluginHostTest, RefusedConnectionsCarryThePluginsReason) {
  Context context(load_transport("tiny", {with("good")}), {});
  EXPECT_EQ(context.address(), "tiny");
  const auto connection = context.connect("rank 4", 1, "tiny", 0);
  EXPECT_EQ(connection->state(), Connection::State::kFailed);
  EXPECT_EQ(connection->error(), "rank 4 over tiny: a tiny plugin connects nobody");
}

TEST_F(PluginHostTest, DiscoveryListsGoodHiddenAndBrokenOnesInOrder) {
  const std::string good = with("good"), hidden = with("newer"), idle = with("not_viable");
  fs::rename(idle + "/" + plugin_file_name("tiny"), idle + "/" + plugin_file_name("broken"));
  fs::copy_file(built("wrong_major"), good + "/" + plugin_file_name("odd"));
  std::ofstream(good + "/README") << "not a plugin";
  const auto all = discover_transports({good, hidden, idle, "relative"});
  ASSERT_GE(all.size(), 6u);

  EXPECT_EQ(all[0].name, "inproc");
  EXPECT_EQ(all[0].path, "built in");
  EXPECT_TRUE(all[0].viable);
  EXPECT_THAT(all[0].capabilities, ElementsAre("host memory", "integrity"));

  EXPECT_EQ(all[1].name, "odd");
  EXPECT_FALSE(all[1].loaded);
  EXPECT_EQ(all[1].abi, "2.0");
  EXPECT_THAT(all[1].reason, HasSubstr("speaks version 2.0"));

  EXPECT_EQ(all[2].name, "tiny");
  EXPECT_TRUE(all[2].loaded);
  EXPECT_TRUE(all[2].viable);
  EXPECT_EQ(all[2].version, "0.7");
  EXPECT_EQ(all[2].abi, "1.0");
  EXPECT_EQ(all[2].reason, "nothing at all");
  EXPECT_THAT(all[2].capabilities, ElementsAre("host memory", "experimental"));

  EXPECT_TRUE(all[3].loaded);
  EXPECT_FALSE(all[3].viable);
  EXPECT_THAT(all[3].reason, HasSubstr("hidden by " + all[2].path));

  EXPECT_EQ(all[4].name, "broken");
  EXPECT_FALSE(all[4].viable);
  EXPECT_EQ(all[4].reason, "calls itself \"tiny\"");

  EXPECT_EQ(all[5].path, "relative");
  EXPECT_FALSE(all[5].loaded);
}

TEST_F(PluginHostTest, TheBuiltInTransportIsNotSearchedFor) {
  const std::string where = with("good");
  fs::rename(where + "/" + plugin_file_name("tiny"), where + "/" + plugin_file_name("inproc"));
  EXPECT_EQ(load_transport("inproc", {where})->path(), "built in");
}

TEST_F(PluginHostTest, FaultsAreTakenFromTheirDescription) {
  EXPECT_EQ(load_transport("inproc", {}, "delay=0.5")->name(), "inproc");
  EXPECT_THROW(load_transport("inproc", {}, "speed=3"), ConfigurationError);
}

TEST(CapabilityNames, NameEveryBitAndOwnUpToUnknownOnes) {
  EXPECT_THAT(capability_names(DUET_CAPABILITY_REMOTE | DUET_CAPABILITY_EXACT_SIZE | (1ull << 40)),
              ElementsAre("exact size", "remote", "unknown (0x10000000000)"));
  EXPECT_THAT(capability_names(0), ElementsAre());
}

}  // namespace
}  // namespace duet::transport
