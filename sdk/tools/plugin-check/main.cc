#include <gtest/gtest.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "contract/peer_process.h"
#include "contract/sources.h"
#include "duet/version.h"
#include "plugin-check/loading.h"
#include "plugin-check/report.h"
#include "plugin-check/suite.h"
#include "transport/guest_call.h"

namespace duet::plugin_check {
namespace {

constexpr int kKept = 0;
constexpr int kBroken = 1;
constexpr int kUsage = 2;
constexpr int kUnusable = 3;

struct Command {
  std::string path;
  std::vector<std::string> settings;
  std::string filter = "*";
  bool list = false;
  bool full = false;
  double patience = 180.0;
};

int complain(const std::string& text, int exit_code) {
  std::cerr << "duet-plugin-check: " << text << std::endl;
  return exit_code;
}

/// The tests of the suite for this plugin, registered with GoogleTest.
std::vector<Test> prepare(const std::string& path, const transport::Settings& settings,
                          const std::string& filter) {
  contract::use_sources({contract::plugin_source("plugin", path, settings)});
  int count = 1;
  char name[] = "duet-plugin-check";
  char* arguments[] = {name, nullptr};
  ::testing::InitGoogleTest(&count, arguments);
  std::vector<Test> chosen;
  for (Test& test : all_tests()) {
    if (matches(test, filter)) chosen.push_back(std::move(test));
  }
  return chosen;
}

int check(const std::string& path, const transport::Settings& settings, const std::vector<Test>& tests,
          std::chrono::milliseconds patience) {
  Report report(std::cout);
  Identity identity;
  const std::vector<Verdict> loading = check_loading(path, settings, patience, &identity);
  if (!identity.name.empty()) report.plugin(path, identity);
  for (const Verdict& verdict : loading)
    report.add(verdict);
  if (!report.all_kept()) {
    report.totals();
    return complain(path + " cannot be used as it is, the rest was not checked", kUnusable);
  }
  if (!identity.viable) {
    report.totals();
    return complain("it says that it cannot be used here, the rest was not checked: " + identity.reason +
                        " (settings are given with --setting KEY=VALUE)",
                    kUnusable);
  }
  if ((identity.capabilities & DUET_CAPABILITY_HOST_MEMORY) == 0) {
    report.totals();
    return complain("it does not move host memory, with which this program checks", kUnusable);
  }
  for (const Test& test : tests)
    report.add(run(test, patience));
  report.totals();
  return report.all_kept() ? kKept : kBroken;
}

int main(int argc, char** argv) {
  CLI::App app{
      "Holds a transport plugin to the contract of duet/plugin/transport.h, sentence by sentence.\n"
      "Every check runs in a process of its own, so that a plugin that crashes or hangs is told where.\n"
      "Exit codes: 0 all is kept; 1 something is broken; 2 wrong usage; 3 the plugin cannot be loaded, "
      "probed\n"
      "or used here.",
      "duet-plugin-check"};
  app.set_version_flag("--version", DUET_VERSION_STRING);
  Command command;
  app.add_option("PATH", command.path, "The plugin's shared object");
  app.add_option("--setting", command.settings, "KEY=VALUE for its probe and its contexts; may be repeated")
      ->take_all()
      ->expected(1, -1)
      ->allow_extra_args(false);
  app.add_option("--filter", command.filter,
                 "Only checks whose GROUP.NAME matches; * stands for anything, e.g. 'Deadlines.*'")
      ->capture_default_str();
  app.add_flag("--list", command.list, "List the checks instead of running them");
  app.add_flag("--full", command.full,
               "With the full counts: more connections, more kills, minutes instead of one");
  app.add_option("--patience", command.patience, "Seconds until a check that hangs is given up")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 36000.0));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain(std::string(error.what()) + "; see --help", kUsage);
  }
  const transport::NoCrashNotes quiet;  // the report says it
  try {
    transport::Settings settings;
    for (const std::string& text : command.settings)
      settings.push_back(contract::parse_setting(text));
    if (command.full) ::setenv("DUET_TEST_FULL", "1", 1);
    if (!command.list && command.path.empty())
      return complain("which plugin? Give the path of its shared object; see --help", kUsage);
    if (!command.list && !std::filesystem::is_regular_file(command.path))
      return complain("there is no file " + command.path, kUsage);
    const std::string path =
        command.path.empty() ? "" : std::filesystem::absolute(command.path).lexically_normal().string();
    const std::vector<Test> tests = prepare(path, settings, command.filter);
    if (tests.empty()) return complain("no check matches --filter " + command.filter, kUsage);
    if (command.list) {
      for (const Test& test : tests)
        std::cout << test.group << "." << test.name << "\n";
      return kKept;
    }
    return check(
        path, settings, tests,
        std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(command.patience)));
  } catch (const std::exception& error) {
    return complain(error.what(), kUsage);
  }
}

}  // namespace
}  // namespace duet::plugin_check

int main(int argc, char** argv) {
  if (const auto exit_code = duet::contract::PeerProcess::run_if_asked(argc, argv)) return *exit_code;
  return duet::plugin_check::main(argc, argv);
}
