// Pure gossip: the dynamics without gradients. Every worker starts from its own random vector and meets its
// neighbours as fast as it can, until the squared consensus distance has fallen by --reduction. Each worker
// writes down the sketch of its position after every meeting; the lowest rank evaluates all the logs and
// prints JSON.
//
//   duet-run -n 16 duet-gossip --graph ring     16 processes
//   duet-gossip --workers 16 --graph ring       16 pairs of threads in one process

#include <duet/duet.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "evaluation.h"
#include "meeting_log.h"
#include "report_file.h"

namespace {

constexpr std::size_t kMostElements = std::size_t{1} << 32;  // 16 GiB
constexpr std::uint64_t kMostMeetings = 1000000;             // their log: 4 GB of each worker

struct Settings {
  duet::Options options;
  int threads = 0;  // workers in this process; 0: one, in a run that a launcher started
  double reduction = 1e6;
  std::size_t elements = 100000;
  std::uint64_t max_meetings = 3000;
  std::string report;
};

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void report(const Settings& settings, const duet::Worker& worker, const std::vector<MeetingLog>& logs) {
  const GossipResult result = evaluate(logs, settings.reduction);
  if (!result.meetings_per_worker) {
    std::fprintf(
        stderr,
        "duet-gossip: not reached in %llu meetings per worker: --reduction %g (it came to %.3g). Raise "
        "--max-meetings, or ask for less\n",
        static_cast<unsigned long long>(settings.max_meetings), settings.reduction,
        std::pow(result.start_distance / result.end_distance, 2));
  }
  nlohmann::json json;
  json["algorithm"] = worker.options().algorithm;
  json["graph"] = worker.topology().name();
  json["pairing"] = worker.options().pairing;
  json["workers"] = worker.world_size();
  json["transport"] = worker.options().transport;
  json["reduction"] = settings.reduction;
  json["elements"] = settings.elements;
  json["seed"] = worker.options().seed;
  json["meetings_per_worker"] =
      result.meetings_per_worker ? nlohmann::json(*result.meetings_per_worker) : nlohmann::json(nullptr);
  json["seconds"] = result.seconds ? nlohmann::json(*result.seconds) : nlohmann::json(nullptr);
  json["start_distance"] = result.start_distance;
  json["end_distance"] = result.end_distance;
  json["edges"] = nlohmann::json::array();
  for (const auto& edge : worker.topology().edges()) {
    const auto found = result.edges.find({edge.a, edge.b});
    json["edges"].push_back(
        {{"a", edge.a}, {"b", edge.b}, {"meetings", found == result.edges.end() ? 0 : found->second}});
  }
  const std::string text = json.dump(2);
  std::cout << text << std::endl;
  if (!settings.report.empty()) samples::write_report(settings.report, text + "\n");
}

/// Everyone's log, at the lowest rank; empty at the others, and where one is missing. On every worker.
std::vector<MeetingLog> gather_logs(duet::Worker& worker, const MeetingLog& own, std::size_t largest) {
  std::vector<MeetingLog> logs(static_cast<std::size_t>(worker.world_size()));
  bool complete = true;
  for (std::size_t part = 0; part < parts_of(largest); ++part) {
    const auto texts = worker.gather(own.pack(part * kEntriesPerPart, kEntriesPerPart), 60.0);
    for (const auto& [rank, bytes] : texts)
      logs[static_cast<std::size_t>(rank)].append(bytes);
    if (!texts.empty() && texts.size() != logs.size()) {
      if (complete) {
        std::fprintf(stderr, "duet-gossip: only %zu of %zu workers handed in their logs\n", texts.size(),
                     logs.size());
      }
      complete = false;
    }
    complete = complete && !texts.empty();
  }
  return complete ? logs : std::vector<MeetingLog>{};
}

/// One worker, from joining to the report. Returns the exit code.
int gossip(const Settings& settings, const duet::Options& options) {
  std::vector<float> x(settings.elements);
  std::mt19937_64 random(options.seed * 1000003 + static_cast<std::uint64_t>(options.rank));
  std::normal_distribution<float> normal;
  for (auto& value : x)
    value = normal(random);

  MeetingLog log;    // the observer's until finish() returns
  std::mutex mutex;  // guards log
  duet::Worker worker(options, {duet::Buffer{x.data(), x.size(), duet::DType::kFloat32, "x"}});
  const auto write_down = [&](int peer) {
    const auto sketch = worker.sketch();
    const std::lock_guard lock(mutex);
    if (log.entries.size() <= settings.max_meetings) {
      log.entries.push_back({wall_seconds(), peer, {sketch.begin(), sketch.end()}});
    }
  };
  write_down(-1);
  worker.on_meeting([&](const duet::MeetingEvent& event) { write_down(event.peer); });

  // From here on it meets; this thread only watches. The start is known: n standard normal vectors.
  worker.step([] {});
  const double n = worker.world_size();
  const double start = static_cast<double>(settings.elements) * (1.0 - 1.0 / n);
  // The estimate is good to a few per cent: go on well past the goal, the logs say when it was reached.
  const double goal = 0.25 * start / settings.reduction;
  for (;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto status = worker.status();
    if (status.tick > 0 && std::pow(status.consensus_distance, 2) < goal) break;
    if (worker.statistics().meetings >= settings.max_meetings) break;
    if (!worker.lost().empty()) break;  // without all logs there is nothing to evaluate
  }
  const duet::FinishResult result = worker.finish();
  worker.on_meeting({});

  const auto logs = gather_logs(worker, log, settings.max_meetings + 1);
  if (!result.lowest) return result.exit_code;
  if (logs.empty()) return result.exit_code != 0 ? result.exit_code : 1;
  report(settings, worker, logs);
  return result.exit_code;
}

duet::Options options_of_thread(const Settings& settings, int rank) {
  duet::Options options = settings.options;
  options.rank = options.local_rank = rank;
  options.world_size = settings.threads;
  options.rendezvous = "local:gossip-" + std::to_string(::getpid());
  return options;
}

/// All workers as threads of this process.
int gossip_in_process(const Settings& settings) {
  options_of_thread(settings, 0).validate();  // what is wrong for one is wrong for all: once, by main()

  // The rest (faults, transports) shows when a worker begins, at all of them, and is said once as well.
  std::mutex mutex;  // guards said
  std::set<std::string> said;
  const auto complain = [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    if (said.insert(text).second) std::fprintf(stderr, "duet-gossip: %s\n", text.c_str());
  };

  const int count = settings.threads;
  std::vector<int> codes(static_cast<std::size_t>(count), 1);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      int& code = codes[static_cast<std::size_t>(rank)];
      try {
        code = gossip(settings, options_of_thread(settings, rank));
      } catch (const duet::ConfigurationError& error) {
        complain(error.what());
        code = 2;
      } catch (const std::exception& error) {
        complain("rank " + std::to_string(rank) + ": " + error.what());
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  return *std::max_element(codes.begin(), codes.end());
}

Settings parse(int argc, char** argv) {
  Settings settings;
  settings.options = duet::Options::from_environment();
  duet::Options& options = settings.options;
  options.unlimited_budget = true;
  options.keep_start = true;
  options.telemetry_interval = 0.1;

  CLI::App app{"Pure gossip: how many meetings until the workers agree?"};
  app.add_option("--algorithm", options.algorithm, "a2cid2 or adpsgd")->capture_default_str();
  app.add_option("--graph", options.graph, "ring, complete, exponential, torus:4x4, file:PATH, ...")
      ->capture_default_str();
  app.add_option("--pairing", options.pairing, "holdoff, fifo or target")->capture_default_str();
  app.add_option("--clock", options.clock, "adaptive, wall or meetings")->capture_default_str();
  app.add_option("--reduction", settings.reduction,
                 "factor by which the squared consensus distance is to fall")
      ->capture_default_str();
  // CLI11 reads -1 as the largest number there is, which these ranges refuse.
  app.add_option("--elements", settings.elements, "length of each worker's vector")
      ->check(CLI::Range(std::size_t{1}, kMostElements))
      ->capture_default_str();
  app.add_option("--max-meetings", settings.max_meetings, "of each worker, then it gives up")
      ->check(CLI::Range(std::uint64_t{1}, kMostMeetings))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--seed", [&](const std::string& text) { options.set("seed", text, "--seed"); },
         "of the random vectors")
      ->default_str(options.get("seed"));
  auto* transport = app.add_option("--transport", options.transport, "inproc, libfabric[:provider]");
  app.add_option("--transport-settings", options.transport_settings,
                 "KEY=VALUE,KEY=VALUE for the transport, e.g. interface=eth1,port_range=29900-29999");
  app.add_option("--faults", options.faults, "faults to inject, e.g. delay=0.005 for a slow network");
  app.add_option("--report", settings.report, "write the JSON there, too");
  app.add_option("--workers", settings.threads, "run so many workers as threads of this process");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) std::exit(app.exit(error));
    throw duet::ConfigurationError(std::string(error.what()) + " (duet-gossip --help lists the options)");
  }
  if (settings.threads > 0 && transport->empty()) options.transport = "inproc";

  const int workers = settings.threads > 0 ? settings.threads : options.world_size;
  if (workers < 2) {
    throw duet::ConfigurationError(
        "one worker has nobody to meet: start me under 'duet-run -n 16', or with --workers 16");
  }
  if (duet::algorithm_kind(options.algorithm) != duet::AlgorithmKind::kMeeting) {
    throw duet::ConfigurationError("--algorithm " + options.algorithm +
                                   " holds no meetings: use a2cid2 or adpsgd");
  }
  if (!(settings.reduction > 1.0)) throw duet::ConfigurationError("--reduction must be greater than 1");
  if (!settings.report.empty()) samples::require_writable(settings.report);
  return settings;
}

}  // namespace

int main(int argc, char** argv) try {
  const Settings settings = parse(argc, argv);
  return settings.threads > 0 ? gossip_in_process(settings) : gossip(settings, settings.options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "duet-gossip: %s\n", error.what());
  return 2;
}
