#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "duet/error.h"
#include "duet/topology.h"
#include "duet/version.h"
#include "info/commands.h"

namespace duet::info {
namespace {

constexpr int kUsage = 2;

int complain(const std::string& text, int exit_code) {
  std::cerr << "duet-info: " << text << std::endl;
  return exit_code;
}

std::string graph_help() {
  std::string text = "One of";
  for (const std::string& name : Topology::known())
    text += (text.size() > 6 ? ", " : " ") + name;
  return text;
}

int main(int argc, char** argv) {
  CLI::App app{"Answers questions about graphs, transports and settings, before a run is started.",
               "duet-info"};
  app.require_subcommand(1);
  app.set_version_flag("--version", DUET_VERSION_STRING);

  TopologyCommand topology;
  CLI::App* const topology_app =
      app.add_subcommand("topology", "How well a graph mixes: chi1, chi2, eta, alpha_tilde");
  topology_app->add_option("--graph", topology.graph, graph_help())->capture_default_str();
  topology_app->add_option("--workers", topology.workers, "How many, at least 2")->required();
  topology_app->add_option("--rate", topology.rate, "Meetings per gradient step and worker")
      ->capture_default_str();
  topology_app->add_flag("--json", topology.json, "As JSON");
  topology_app
      ->add_flag("--edges", topology.edges,
                 "List the edges and their rates instead, as --graph file:PATH reads them")
      ->excludes("--json");

  PluginsCommand plugins;
  CLI::App* const plugins_app =
      app.add_subcommand("plugins", "Which transports are found, where, and whether they can be used here");
  plugins_app
      ->add_option("--plugin-path", plugins.plugin_path, "A directory to search first; may be repeated")
      ->check(CLI::ExistingDirectory);
  plugins_app
      ->add_option("--transport", plugins.transport,
                   "NAME or NAME:PROVIDER: could this one be used? e.g. libfabric:sockets")
      ->envname("DUET_TRANSPORT")
      ->capture_default_str();
  plugins_app
      ->add_option("--transport-settings", plugins.transport_settings,
                   "and with these settings: KEY=VALUE,KEY=VALUE, e.g. interface=eth1")
      ->envname("DUET_TRANSPORT_SETTINGS");
  plugins_app->add_option("--patience", plugins.patience, "Seconds until a plugin that hangs is given up")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 3600.0));
  plugins_app->add_flag("--json", plugins.json, "As JSON");

  EnvironmentCommand environment;
  CLI::App* const environment_app = app.add_subcommand(
      "environment", "What a worker started here would take from launcher and DUET_ variables");
  environment_app->add_flag("--all", environment.all, "Defaults too");
  environment_app->add_flag("--json", environment.json, "As JSON");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && argc > 1) {
      return complain(
          "unknown subcommand " + std::string(argv[1]) + "; there are topology, plugins, environment",
          kUsage);
    }
    return complain(std::string(error.what()) + "; see --help", kUsage);
  }
  try {
    if (topology_app->parsed()) show_topology(topology);
    if (plugins_app->parsed()) {
      plugins.asked = plugins_app->count("--transport") + plugins_app->count("--transport-settings") > 0;
      show_plugins(plugins);
    }
    if (environment_app->parsed()) show_environment(environment);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
  std::cout.flush();
  return std::cout ? 0 : complain("standard output cannot be written", 1);
}

}  // namespace
}  // namespace duet::info

int main(int argc, char** argv) {
  return duet::info::main(argc, argv);
}
