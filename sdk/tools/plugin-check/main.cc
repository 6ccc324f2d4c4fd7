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
  std::string memory;
  int devices = 0;
  bool own_process = false;
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
std::vector<Test> prepare(const contract::Source& source, const std::string& filter) {
  contract::use_sources({source});
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

int check(const contract::Source& source, const std::vector<Test>& tests,
          std::chrono::milliseconds patience) {
  const std::string& path = source.path;
  Report report(std::cout);
  Identity identity;
  const std::vector<Verdict> loading = check_loading(path, source.settings, patience, &identity);
  if (!identity.name.empty()) report.plugin(path, identity);
  for (const Verdict& verdict : loading)
    report.add(verdict);
  if (!report.all_kept()) {
    report.totals();
    return complain(path + " cannot be used as it is, the rest was not checked", kBroken);
  }
  if (!identity.viable) {
    report.totals();
    return complain("it says that it cannot be used here, the rest was not checked: " + identity.reason +
                        " (settings are given with --setting KEY=VALUE)",
                    kUnusable);
  }
  if ((identity.capabilities & (source.memory == nullptr ? std::uint64_t{DUET_CAPABILITY_HOST_MEMORY}
                                                         : source.memory->capability())) == 0) {
    report.totals();
    return complain(source.memory == nullptr ? "it does not move host memory; for another kind give --memory"
                                             : "it does not move the memory that --memory names",
                    kUnusable);
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
      "Exit codes: 0 all is kept; 1 something is broken; 2 wrong usage; 3 nothing is broken, but the\n"
      "plugin says that it cannot be used here, or does not move the memory.\n"
      "The group Loading comes first, whatever the filter: without it there is nothing else to check.",
      "duet-plugin-check"};
  app.set_version_flag("--version", DUET_VERSION_STRING);
  Command command;
  app.add_option("PATH", command.path, "The plugin's shared object");
  app.add_option("--setting", command.settings, "KEY=VALUE for its probe and its contexts; may be repeated")
      ->take_all()
      ->expected(1, -1)
      ->allow_extra_args(false);
  app.add_option(
      "--memory", command.memory,
      "Check with memory of a device: cuda:LIBRARY, with the driver's library, e.g. cuda:libcuda.so.1");
  app.add_option(
         "--devices", command.devices,
         "Spread the contexts over so many devices, by the plugin's setting \"device\": the last one is "
         "the other process's")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--own-process", command.own_process, "Without the checks that need another process");
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
    contract::Source source = contract::plugin_source("plugin", path, settings);
    if (!command.memory.empty()) source.memory = contract::device_memory(command.memory);
    source.devices = command.devices;
    source.own_process_only = command.own_process;
    const std::vector<Test> tests = prepare(source, command.filter);
    if (tests.empty()) return complain("no check matches --filter " + command.filter, kUsage);
    if (command.list) {
      std::cout << "Loading.*  (always, and first)\n";
      for (const Test& test : tests)
        std::cout << test.group << "." << test.name << "\n";
      return kKept;
    }
    return check(
        source, tests,
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
