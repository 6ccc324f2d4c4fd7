#include <CLI/CLI.hpp>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>

#include "duet/error.h"
#include "duet/version.h"
#include "sim/commands.h"

namespace duet::sim {
namespace {

constexpr int kUsage = 2;

int complain(const std::string& text, int exit_code) {
  std::cerr << "duet-sim: " << text << std::endl;
  return exit_code;
}

int main(int argc, char** argv) {
  CLI::App app{
      "Runs workers in virtual time: the dynamics, the graphs and the pairing of real workers, with steps,\n"
      "meetings and a network that are made up. Times are in steps: a worker's mean step takes 1.",
      "duet-sim"};
  app.require_subcommand(1);
  app.set_version_flag("--version", DUET_VERSION_STRING);
  GossipCommand gossip;
  CLI::App* const gossip_app =
      app.add_subcommand("gossip", "Workers that only meet: how many meetings until they agree");
  add_options(*gossip_app, gossip);
  TrainCommand train;
  CLI::App* const train_app =
      app.add_subcommand("train", "Workers that train, by SGD: consensus distance and loss");
  add_options(*train_app, train);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && argc > 1)
      return complain("unknown subcommand " + std::string(argv[1]) + "; there are gossip, train", kUsage);
    return complain(std::string(error.what()) + "; see --help", kUsage);
  }
  try {
    if (gossip_app->parsed()) run(gossip);
    if (train_app->parsed()) run(train);
  } catch (const ConfigurationError& error) {
    return complain(error.what(), kUsage);
  } catch (const std::bad_alloc&) {
    return complain("not enough memory; fewer --workers, a smaller --dimension or --jobs 1 need less", 1);
  } catch (const std::length_error&) {
    return complain("more than any memory holds; fewer --workers or a smaller --dimension", 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
  std::cout.flush();
  return std::cout ? 0 : complain("standard output cannot be written", 1);
}

}  // namespace
}  // namespace duet::sim

int main(int argc, char** argv) {
  return duet::sim::main(argc, argv);
}
