#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "run/crew.h"
#include "run/environment.h"
#include "run/free_port.h"
#include "run/process.h"
#include "run/program.h"
#include "support/processors.h"

namespace duet::run {
namespace {

constexpr int kMostWorkers = 4096;
constexpr int kUsage = 2;

int complain(const std::string& text, int exit_code) {
  std::cerr << "duet-run: " << text << std::endl;
  return exit_code;
}

std::string random_run_id() {
  std::random_device random;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id = "run-";
  for (int k = 0; k < 12; ++k)
    id += kDigits[random() % 16];
  return id;
}

int start_and_wait(int workers, double grace, const std::vector<std::string>& command) {
  const Variables variables = own_variables();
  const auto path = variables.find("PATH");
  const ProgramSearch program =
      find_program(command[0], path == variables.end() ? "/usr/bin:/bin" : path->second);
  if (program.path.empty()) return complain(program.error, program.exit_code);

  Run run;
  run.workers = workers;
  run.run_id = random_run_id();
  run.cores = support::usable_processors();
  if (!variables.contains("DUET_RENDEZVOUS")) {
    run.rendezvous = "seed://127.0.0.1:" + std::to_string(find_free_port());
  }
  make_room_for_descriptors(2 * workers + 32);
  block_signals();
  Crew crew(grace);
  for (int rank = 0; rank < workers; ++rank) {
    crew.add(start_process(program.path, command, worker_environment(variables, run, rank)));
  }
  return crew.wait();
}

int main(int argc, char** argv) {
  fill_standard_descriptors();
  CLI::App app{
      "duet-run -n N [--] program [arguments...]\n\n"
      "Starts N workers on this machine and passes on what they write, each line with its worker's rank.\n"
      "Several machines: torchrun --no-python, srun or mpirun do the same, without duet-run.\n"
      "Exit code: the largest of the workers that ended by themselves; 128 + signal where all were killed.",
      "duet-run"};
  int workers = 0;
  double grace = 5.0;
  app.add_option("-n,--workers", workers, "How many workers")->required();
  app.add_option("--grace", grace, "Seconds from a second Ctrl-C until workers are killed")
      ->capture_default_str();
  app.prefix_command();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::RequiredError&) {
    return complain("say how many workers: duet-run -n N program", kUsage);
  } catch (const CLI::ParseError& error) {
    return complain(error.what(), kUsage);
  }
  std::vector<std::string> command = app.remaining();
  const bool separated = !command.empty() && command.front() == "--";
  if (separated) command.erase(command.begin());
  if (!separated && !command.empty() && command.front().starts_with('-')) {
    return complain("unknown option " + command.front() + "; see --help", kUsage);
  }
  if (workers < 1 || workers > kMostWorkers) {
    return complain(
        "-n " + std::to_string(workers) + ": there can be 1 to " + std::to_string(kMostWorkers) + " workers",
        kUsage);
  }
  if (!(grace >= 0.0 && grace <= 3600.0)) return complain("--grace: 0 to 3600 seconds", kUsage);
  if (command.empty()) return complain("no program to start: duet-run -n N program [arguments...]", kUsage);
  try {
    return start_and_wait(workers, grace, command);
  } catch (const std::system_error& error) {
    return complain(error.what(), 126);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}

}  // namespace
}  // namespace duet::run

int main(int argc, char** argv) {
  return duet::run::main(argc, argv);
}
