// One meeting between two processes, beside what it is made of: the transport moving the same bytes in the
// same blocks without any pass, and the passes (snapshot, seal, check, apply) without any transport, by both
// processes at once. All three in one run, turn by turn, so that whatever else the machine does meets them
// alike.
//
//   bench_meeting [--transport NAME[:provider]] [--elements N] [--block-bytes N,…] [--in-flight N,…]
//   [--repeats N]
//                 [--wire float32|bfloat16]
//
// Prints JSON: for every block size and depth the medians and the best of the times, in seconds (a time is
// that of the slower process), and `ratio` = meeting ÷ (transport + passes), of the medians.

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "dynamics/passes.h"
#include "exchange/block_header.h"
#include "exchange/meeting.h"
#include "exchange/replica.h"
#include "exchange/staging.h"
#include "transport/transport.h"

namespace duet::bench {
namespace {

using exchange::Block;
using exchange::kBlockHeaderBytes;
using exchange::Slot;
using exchange::Staging;

struct Settings {
  std::string transport = "libfabric:tcp";
  std::size_t elements = 25'600'000;  // ResNet-50
  std::vector<std::size_t> block_bytes{std::size_t{1} << 20};
  std::vector<std::size_t> in_flight{4};
  int repeats = 7;
  DType wire = DType::kFloat32;
};

double seconds() {
  return 1e-9 * static_cast<double>(transport::now_ns());
}

/// Of this process: what is missing to the wall clock's is waiting, or somebody else's turn.
double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The two processes' own line, for what is not measured.
class Line {
 public:
  explicit Line(int descriptor) : descriptor_(descriptor) {}
  ~Line() { ::close(descriptor_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  std::string exchange(const std::string& mine) {
    const std::uint64_t length = mine.size();
    put(&length, sizeof length);
    put(mine.data(), mine.size());
    std::uint64_t expected = 0;
    get(&expected, sizeof expected);
    std::string theirs(expected, '\0');
    get(theirs.data(), theirs.size());
    return theirs;
  }
  void meet() { exchange("."); }
  /// The slower one's.
  double slower(double mine) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9f", mine);
    return std::max(mine, std::stod(exchange(text)));
  }

 private:
  void put(const void* data, std::size_t bytes) {
    if (::write(descriptor_, data, bytes) != static_cast<ssize_t>(bytes)) {
      throw std::runtime_error("the other process is gone");
    }
  }
  void get(void* data, std::size_t bytes) {
    for (std::size_t done = 0; done < bytes;) {
      const auto now = ::read(descriptor_, static_cast<char*>(data) + done, bytes - done);
      if (now <= 0) throw std::runtime_error("the other process is gone");
      done += static_cast<std::size_t>(now);
    }
  }
  int descriptor_;
};

/// The transport alone: what Meeting posts, in the order in which it posts it.
class RawMove {
 public:
  RawMove(exchange::Replica& replica, transport::Connection& connection,
          const std::shared_ptr<Staging>& staging, DType wire)
      : replica_(replica), connection_(connection), staging_(staging), wire_(wire) {
    pairs_.resize(static_cast<std::size_t>(staging->depth()));
    for (auto& [own, peers] : pairs_)
      staging->take(own, peers);
  }
  ~RawMove() {
    for (auto& [own, peers] : pairs_) {
      staging_->give_back(*own);
      staging_->give_back(*peers);
    }
  }
  RawMove(const RawMove&) = delete;
  RawMove& operator=(const RawMove&) = delete;

  bool advance() {
    const std::size_t blocks = replica_.block_count();
    for (bool moved = true; moved;) {
      moved = false;
      if (receiving_ < blocks && receiving_ < received_ + pairs_.size()) {
        moved |= staging_->receive(connection_, nullptr, *pair(receiving_).second, bytes(receiving_), 0);
        if (moved) ++receiving_;
      }
      if (sending_ < blocks && sending_ < sent_ + pairs_.size() && sending_ < receiving_) {
        if (staging_->send(connection_, nullptr, *pair(sending_).first, bytes(sending_), 0)) {
          ++sending_;
          moved = true;
        }
      }
      moved |= reap(sent_, sending_, pair(sent_).first);
      moved |= reap(received_, receiving_, pair(received_).second);
    }
    return sent_ == blocks && received_ == blocks;
  }

 private:
  std::pair<Slot*, Slot*>& pair(std::size_t k) { return pairs_[k % pairs_.size()]; }
  std::uint64_t bytes(std::size_t k) const {
    return kBlockHeaderBytes + replica_.block(k).count * size_of(wire_);
  }
  bool reap(std::size_t& done, std::size_t posted, Slot* slot) {
    if (done == posted || slot->state != Slot::State::kDone) return false;
    if (slot->status != DUET_OK) throw std::runtime_error(connection_.error());
    slot->state = Slot::State::kHeld;
    ++done;
    return true;
  }

  exchange::Replica& replica_;
  transport::Connection& connection_;
  std::shared_ptr<Staging> staging_;
  DType wire_;
  std::vector<std::pair<Slot*, Slot*>> pairs_;
  std::size_t receiving_ = 0, received_ = 0, sending_ = 0, sent_ = 0;
};

class Process {
 public:
  Process(const Settings& settings, Line& line, bool first)
      : settings_(settings), line_(line), first_(first), x_(settings.elements) {
    for (std::size_t i = 0; i < x_.size(); ++i) {
      x_[i] = std::sin(0.001F * static_cast<float>(i)) + (first ? 0.0F : 0.5F);
    }
    const auto choice = transport::parse_choice(settings.transport);
    context_ =
        std::make_unique<transport::Context>(transport::load_transport(choice.name, {}), choice.settings);
    const std::string address = line.exchange(context_->address());
    constexpr std::uint64_t kSession = 1;
    const std::uint64_t deadline = transport::now_ns() + 10'000'000'000;
    connection_ = first ? context_->connect("the other process", kSession, address, deadline)
                        : context_->accept("the other process", kSession, deadline);
    while (connection_->state() == transport::Connection::State::kPending)
      context_->poll(1'000'000);
    if (connection_->state() == transport::Connection::State::kFailed) {
      throw std::runtime_error(connection_->error());
    }
  }

  nlohmann::json run() {
    nlohmann::json results = nlohmann::json::array();
    for (const std::size_t block_bytes : settings_.block_bytes) {
      for (const std::size_t in_flight : settings_.in_flight)
        results.push_back(measure(block_bytes, in_flight));
    }
    return results;
  }

 private:
  nlohmann::json measure(std::size_t block_bytes, std::size_t in_flight) {
    exchange::Replica replica({Buffer{x_.data(), x_.size(), DType::kFloat32, "x", ""}}, true, block_bytes);
    auto staging = exchange::make_staging(replica, settings_.wire, static_cast<int>(in_flight));
    std::vector<double> meeting, moving, passes;
    std::vector<double> meeting_cpu, moving_cpu, passes_cpu;
    for (int repeat = -1; repeat < settings_.repeats; ++repeat) {
      const Time one = timed([&] { move(replica, staging); });
      const Time two = timed([&] { pass(replica); });
      const Time three = timed([&] { meet(replica, staging); });
      if (repeat < 0) continue;  // warms up
      moving.push_back(one.wall);
      passes.push_back(two.wall);
      meeting.push_back(three.wall);
      moving_cpu.push_back(one.cpu);
      passes_cpu.push_back(two.cpu);
      meeting_cpu.push_back(three.cpu);
    }
    const auto best = [](const std::vector<double>& times) {
      return *std::min_element(times.begin(), times.end());
    };
    return {{"block_bytes", block_bytes},
            {"in_flight", in_flight},
            {"meeting", median(meeting)},
            {"transport", median(moving)},
            {"passes", median(passes)},
            {"ratio", median(meeting) / (median(moving) + median(passes))},
            {"meeting_cpu", median(meeting_cpu)},
            {"transport_cpu", median(moving_cpu)},
            {"passes_cpu", median(passes_cpu)},
            {"best_meeting", best(meeting)},
            {"best_transport", best(moving)},
            {"best_passes", best(passes)},
            {"best_ratio", best(meeting) / (best(moving) + best(passes))}};
  }

  struct Time {
    double wall = 0.0;
    double cpu = 0.0;
  };
  template <typename Work>
  Time timed(const Work& work) {
    line_.meet();
    const double begin = seconds();
    const double cpu_begin = cpu_seconds();
    work();
    const double wall = seconds() - begin;
    const double cpu = cpu_seconds() - cpu_begin;
    return {line_.slower(wall), line_.slower(cpu)};
  }

  static double median(std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  void move(exchange::Replica& replica, const std::shared_ptr<Staging>& staging) {
    RawMove raw(replica, *connection_, staging, settings_.wire);
    while (!raw.advance())
      context_->poll(1'000'000);
  }

  void meet(exchange::Replica& replica, const std::shared_ptr<Staging>& staging) {
    exchange::Meeting meeting(replica, *connection_, staging, plan(), seconds());
    while (!meeting.advance(seconds()))
      context_->poll(meeting.gate_busy() ? 0 : 1'000'000);
    if (!meeting.result().complete) throw std::runtime_error(meeting.result().error);
  }

  exchange::MeetingPlan plan() {
    exchange::MeetingPlan made;
    made.meeting = ++meetings_;
    made.token = made.meeting * 31;
    made.coefficients = {0.1, 0.5, 0.4};
    made.wire = settings_.wire;
    return made;
  }

  /// What a meeting does to every block, from one buffer that stands for the peer's.
  void pass(exchange::Replica& replica) {
    constexpr std::uint64_t kToken = 5;
    const std::size_t slot = kBlockHeaderBytes + replica.largest_block() * size_of(settings_.wire);
    auto own = exchange::allocate<std::byte>(slot, "a snapshot");
    auto peers = exchange::allocate<std::byte>(slot, "a block");
    double sum = 0.0;
    for (std::size_t k = 0; k < replica.block_count(); ++k) {
      const Block& block = replica.block(k);
      exchange::BlockHeader header;
      header.dtype = settings_.wire;
      header.payload_bytes = block.count * size_of(settings_.wire);
      if (k == 0 || block.count != replica.block(0).count) {
        exchange::seal_block(header, kToken, peers.get());
      }
      const auto* const r = peers.get() + kBlockHeaderBytes;
      auto* const s = own.get() + kBlockHeaderBytes;
      dynamics::snapshot(block.x, block.d, block.z, s, settings_.wire, block.count, 0.1F);
      exchange::seal_block(header, kToken, own.get());
      exchange::BlockHeader found;
      const std::string wrong =
          exchange::open_block(peers.get(), kBlockHeaderBytes + header.payload_bytes, header, kToken, found);
      if (!wrong.empty()) throw std::runtime_error(wrong);
      sum += dynamics::squared_distance(s, r, settings_.wire, block.count);
      dynamics::apply(block.d, block.z, s, r, settings_.wire, block.count, 0.5F, 0.4F);
    }
    if (!std::isfinite(sum)) throw std::runtime_error("the parameters have diverged");
  }

  const Settings& settings_;
  Line& line_;
  bool first_;
  std::vector<float> x_;
  std::unique_ptr<transport::Context> context_;
  std::unique_ptr<transport::Connection> connection_;
  std::uint64_t meetings_ = 0;
};

std::vector<std::size_t> numbers(const std::string& text) {
  std::vector<std::size_t> all;
  std::istringstream stream(text);
  for (std::string one; std::getline(stream, one, ',');)
    all.push_back(std::stoull(one));
  return all;
}

bool parse(int argc, char** argv, Settings& settings) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--transport") {
      settings.transport = value;
    } else if (option == "--elements") {
      settings.elements = std::stoull(value);
    } else if (option == "--block-bytes") {
      settings.block_bytes = numbers(value);
    } else if (option == "--in-flight") {
      settings.in_flight = numbers(value);
    } else if (option == "--repeats") {
      settings.repeats = std::stoi(value);
    } else if (option == "--wire" && (value == "float32" || value == "bfloat16")) {
      settings.wire = value == "float32" ? DType::kFloat32 : DType::kBFloat16;
    } else {
      return false;
    }
  }
  return argc % 2 == 1 && settings.repeats > 0;
}

int run(const Settings& settings) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) throw std::runtime_error("socketpair failed");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  ::close(ends[child == 0 ? 0 : 1]);
  if (child == 0) {
    int code = 0;
    try {
      Line line(ends[1]);
      Process process(settings, line, false);
      process.run();
      line.meet();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench_meeting, second process: %s\n", error.what());
      code = 1;
    }
    ::_exit(code);
  }
  nlohmann::json report{{"transport", settings.transport},
                        {"elements", settings.elements},
                        {"wire", settings.wire == DType::kFloat32 ? "float32" : "bfloat16"},
                        {"repeats", settings.repeats},
                        {"simd", dynamics::simd_target_in_use()}};
  {
    Line line(ends[0]);
    Process process(settings, line, true);
    report["results"] = process.run();
    line.meet();  // nobody closes while the other still needs the connection
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::printf("%s\n", report.dump(2).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace duet::bench

int main(int argc, char** argv) {
  duet::bench::Settings settings;
  try {
    if (!duet::bench::parse(argc, argv, settings)) {
      std::fprintf(stderr,
                   "usage: %s [--transport NAME[:provider]] [--elements N] [--block-bytes N,...]\n"
                   "          [--in-flight N,...] [--repeats N] [--wire float32|bfloat16]\n",
                   argv[0]);
      return 2;
    }
    return duet::bench::run(settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
