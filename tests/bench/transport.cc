// What a transport carries, by itself: two processes (two threads, with inproc) that send each other large
// blocks, a few in flight each way and both ways at once, as a meeting does; and a small message that goes
// back and forth.
//
//   bench_transport [--json] [--transport NAME[:PROVIDER]] [--plugin-path DIRECTORY] [--bytes N] [--block N]
//                   [--in-flight N] [--round-trips N]
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "transport/transport.h"

namespace duet::bench {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kDeadline = 60 * kSecond;
constexpr std::size_t kSmallMessage = 64;

struct Settings {
  std::string transport = "libfabric";
  std::vector<std::string> plugin_path;
  std::uint64_t bytes = 100 << 20;  // each way
  std::uint64_t block = 1 << 20;
  std::uint64_t in_flight = 4;
  std::uint64_t round_trips = 20'000;
  bool json = false;
};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One side's end of a socket pair: the control channel of a run, for the address alone.
class Wire {
 public:
  explicit Wire(int descriptor) : descriptor_(descriptor) {}
  void give(const std::string& text) const {
    if (write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("the other side is gone");
    }
  }
  std::string take() const {
    std::string text(512, '\0');
    const ssize_t bytes = read(descriptor_, text.data(), text.size());
    if (bytes <= 0) throw std::runtime_error("the other side is gone");
    text.resize(static_cast<std::size_t>(bytes));
    return text;
  }

 private:
  int descriptor_;
};

/// One of the two: a context and its connection to the other.
class Side {
 public:
  Side(const Settings& settings, const Wire& wire, bool first) : settings_(settings) {
    transport::TransportChoice choice = transport::parse_choice(settings.transport);
    context_ = std::make_unique<transport::Context>(
        transport::load_transport(choice.name, settings.plugin_path), choice.settings);
    const std::uint64_t deadline = transport::now_ns() + kDeadline;
    if (first) {
      connection_ = context_->connect("the other side", 1, wire.take(), deadline);
    } else {
      wire.give(context_->address());
      connection_ = context_->accept("the other side", 1, deadline);
    }
    poll_until([&] { return connection_->state() == transport::Connection::State::kReady; });
  }

  /// Seconds for `bytes` in each direction.
  double stream() {
    const std::uint64_t blocks = std::max<std::uint64_t>(settings_.bytes / settings_.block, 1);
    const std::uint64_t slots = std::min(settings_.in_flight, blocks);
    std::vector<std::vector<char>> outgoing(slots, std::vector<char>(settings_.block, 'o'));
    std::vector<std::vector<char>> incoming(slots, std::vector<char>(settings_.block, 'i'));
    std::uint64_t sends = 0;
    std::uint64_t receives = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    const double start = seconds_now();
    while (sent < blocks || received < blocks) {
      while (receives < blocks && receives < received + slots) {
        if (!post(false, incoming[receives % slots].data(), settings_.block, received)) break;
        ++receives;
      }
      while (sends < blocks && sends < sent + slots) {
        if (!post(true, outgoing[sends % slots].data(), settings_.block, sent)) break;
        ++sends;
      }
      poll();
    }
    return seconds_now() - start;
  }

  /// Seconds for a small message there and back, `round_trips` times.
  double ping_pong(bool first) {
    std::vector<char> message(kSmallMessage, 'm');
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    const auto send = [&] {
      const std::uint64_t before = sent;
      while (!post(true, message.data(), message.size(), sent)) {
        poll();
      }
      poll_until([&] { return sent > before; });
    };
    const auto receive = [&](std::vector<char>& room) {
      while (!post(false, room.data(), room.size(), received)) {
        poll();
      }
    };
    std::vector<char> room(kSmallMessage);
    const double start = seconds_now();
    for (std::uint64_t round = 0; round < settings_.round_trips; ++round) {
      receive(room);
      if (first) send();
      poll_until([&] { return received > round; });
      if (!first) send();
    }
    return seconds_now() - start;
  }

  /// Both have everything: only now may either close.
  void part() {
    char byte = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    post(false, &byte, 1, received);
    post(true, &byte, 1, sent);
    poll_until([&] { return sent == 1 && received == 1; });
  }

 private:
  bool post(bool send, char* data, std::uint64_t bytes, std::uint64_t& done) {
    const std::uint64_t deadline = transport::now_ns() + kDeadline;
    auto finished = [this, &done](duet_status status, std::uint64_t) {
      if (status != DUET_OK) throw std::runtime_error(connection_->error());
      ++done;
    };
    return send ? connection_->send(data, bytes, deadline, finished)
                : connection_->receive(data, bytes, deadline, finished);
  }

  void poll() {
    context_->poll(kSecond);
    if (connection_->state() == transport::Connection::State::kFailed) {
      throw std::runtime_error(connection_->error());
    }
  }

  /// The other side may have parted already, so what counts is whether this one is done.
  void poll_until(const std::function<bool()>& done) {
    while (!done()) {
      context_->poll(kSecond);
      if (!done() && connection_->state() == transport::Connection::State::kFailed) {
        throw std::runtime_error(connection_->error());
      }
    }
  }

  const Settings& settings_;
  std::unique_ptr<transport::Context> context_;
  std::unique_ptr<transport::Connection> connection_;
};

nlohmann::json run_side(const Settings& settings, int descriptor, bool first) {
  Side side(settings, Wire(descriptor), first);
  side.stream();  // warms sockets, caches and pages
  const double cpu_before = cpu_seconds();
  const double stream = side.stream();
  const double cpu = cpu_seconds() - cpu_before;
  const double ping_pong = side.ping_pong(first);
  side.part();
  const double gigabytes = static_cast<double>(settings.bytes) * 1e-9;
  return {{"transport", settings.transport},
          {"bytes_each_way", settings.bytes},
          {"block_bytes", settings.block},
          {"blocks_in_flight", settings.in_flight},
          {"gigabytes_per_second_each_way", gigabytes / stream},
          {"processor_seconds_per_gigabyte_each_way", cpu / gigabytes},
          {"small_message_bytes", kSmallMessage},
          {"round_trips_per_second", static_cast<double>(settings.round_trips) / ping_pong}};
}

nlohmann::json run_both(const Settings& settings) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) throw std::runtime_error("socketpair failed");
  if (transport::parse_choice(settings.transport).name == "inproc") {
    std::thread other([&] { run_side(settings, ends[1], false); });
    nlohmann::json report = run_side(settings, ends[0], true);
    other.join();
    report["between"] = "threads";
    return report;
  }
  const pid_t other = fork();
  if (other == 0) {
    close(ends[0]);
    try {
      run_side(settings, ends[1], false);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the accepting side: %s\n", error.what());
      std::_Exit(1);
    }
    std::_Exit(0);
  }
  close(ends[1]);
  nlohmann::json report = run_side(settings, ends[0], true);
  report["between"] = "processes";
  int status = 0;
  waitpid(other, &status, 0);
  if (status != 0) throw std::runtime_error("the accepting side failed");
  return report;
}

void print(const nlohmann::json& report) {
  std::printf("%s, between two %s\n", report["transport"].get<std::string>().c_str(),
              report["between"].get<std::string>().c_str());
  std::printf("  both ways at once, each   %8.2f GB/s   (%.0f blocks of %.0f KiB in flight)\n",
              report["gigabytes_per_second_each_way"].get<double>(), report["blocks_in_flight"].get<double>(),
              report["block_bytes"].get<double>() / 1024);
  std::printf("  processor time per side   %8.2f s per GB each way\n",
              report["processor_seconds_per_gigabyte_each_way"].get<double>());
  std::printf("  round trips of %.0f bytes   %8.0f per second\n", report["small_message_bytes"].get<double>(),
              report["round_trips_per_second"].get<double>());
}

}  // namespace
}  // namespace duet::bench

int main(int argc, char** argv) {
  duet::bench::Settings settings;
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string_view option = argv[i];
      if (option == "--json") {
        settings.json = true;
      } else if (option == "--transport" && i + 1 < argc) {
        settings.transport = argv[++i];
      } else if (option == "--plugin-path" && i + 1 < argc) {
        settings.plugin_path.emplace_back(argv[++i]);
      } else if (option == "--bytes" && i + 1 < argc) {
        settings.bytes = std::stoull(argv[++i]);
      } else if (option == "--block" && i + 1 < argc) {
        settings.block = std::max(1ULL, std::stoull(argv[++i]));
      } else if (option == "--in-flight" && i + 1 < argc) {
        settings.in_flight = std::max(1ULL, std::stoull(argv[++i]));
      } else if (option == "--round-trips" && i + 1 < argc) {
        settings.round_trips = std::max(1ULL, std::stoull(argv[++i]));
      } else {
        std::fprintf(stderr,
                     "usage: %s [--json] [--transport NAME[:PROVIDER]] [--plugin-path DIRECTORY] [--bytes N] "
                     "[--block N] [--in-flight N] [--round-trips N]\n",
                     argv[0]);
        return 2;
      }
    }
    const nlohmann::json report = duet::bench::run_both(settings);
    if (settings.json) {
      std::cout << report.dump(2) << '\n';
    } else {
      duet::bench::print(report);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
