#include "command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "duet/version.h"

namespace duet::top {
namespace {

constexpr const char* kDescription =
    "duet-top shows the workers of a run, live, in a terminal. It is read-only, and costs the workers "
    "nothing: an "
    "observer that is slow loses frames, which are counted.";

constexpr const char* kFooter = R"(
EXAMPLES
  duet-top --connect node0:29800             any one worker's telemetry; the others are found through it
  duet-top --connect node0 --record run.rec  and keep what comes
  duet-top --open run.rec --speed 10         play it
  duet-top --demo                            synthetic workers that get into trouble
  duet-top --connect node0 --once --json | jq '.workers[] | select(.state != "running")'

KEYS
  q quit · arrows choose · < > F6 sort · I turn round · / filter · Tab peers · p pause · space + - play · h help

ENVIRONMENT
  DUET_SECRET  the run's secret, where --secret-file is not given    NO_COLOR  no colours

EXIT STATUS
  0  all is well    1  with --once: nobody was heard    2  wrong options, no such file, no terminal

See docs/duet-top.md.)";

}  // namespace

std::optional<CommandLine> read_command_line(int argc, char** argv, int& exit_code) {
  CommandLine options;
  std::string secret_file;
  CLI::App app(kDescription, "duet-top");
  app.footer(kFooter);
  app.set_version_flag("--version", DUET_VERSION_STRING);
  auto* const from = app.add_option_group("What to watch", "one of these");
  from->add_option("--connect", options.connect,
                   "telemetry address of any one worker, port 29800 unless given")
      ->type_name("HOST[:PORT]");
  from->add_option("--open", options.open, "a recording")->type_name("FILE");
  from->add_flag("--demo", options.demo, "synthetic workers");
  from->require_option(1);
  app.add_option("--workers", options.demo_options.workers, "of the demo, 1 to 1024")->capture_default_str();
  app.add_option("--graph", options.demo_options.graph, "of the demo, as duet-info takes it")
      ->capture_default_str();
  app.add_option("--seed", options.demo_options.seed, "of the demo")->capture_default_str();
  app.add_option("--speed", options.speed, "of a recording or the demo, 0.1 to 100")->capture_default_str();
  app.add_option("--record", options.record, "write what comes to a new file, too")->type_name("FILE");
  app.add_flag("--overwrite", options.overwrite, "--record may replace a file");
  app.add_option("--secret-file", secret_file, "the run's secret is this file's first line")
      ->type_name("FILE");
  auto* const once = app.add_flag("--once", options.once, "print one picture and end; needs no terminal");
  app.add_flag("--json", options.json, "with --once: as JSON")->needs(once);
  app.add_option("--timeout", options.patience, "with --once: seconds to wait for workers")
      ->capture_default_str();
  app.add_option("--at", options.at,
                 "with --once: seconds to watch at least; after the beginning of a recording (its end unless "
                 "given) or "
                 "the demo (30)")
      ->needs(once);
  try {
    app.parse(argc, argv);
    options.secret = observer::read_secret(secret_file);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  const char* const no_color = std::getenv("NO_COLOR");
  options.colours = no_color == nullptr || *no_color == '\0';
  return options;
}

std::unique_ptr<observer::Source> make_source(const CommandLine& options) {
  if (!options.connect.empty())
    return observer::make_live_source({.address = options.connect, .secret = options.secret});
  if (!options.open.empty()) return observer::make_replay_source(options.open, {.speed = options.speed});
  observer::DemoOptions demo = options.demo_options;
  demo.speed = options.speed;
  return observer::make_demo_source(demo);
}

}  // namespace duet::top
