#include "duet/worker.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "duet/error.h"
#include "exchange/replica.h"
#include "support/log.h"
#include "topology/present_graph.h"
#include "worker/communication.h"
#include "worker/exporter_library.h"
#include "worker/join.h"
#include "worker/position_sketch.h"
#include "worker/shared.h"

namespace duet {
namespace {

/// Control messages are small; this is what one of them may carry for gather().
constexpr std::size_t kLargestGathered = 16u << 20;

/// Whose constants take dense linear algebra some milliseconds.
constexpr int kSmallGraph = 64;

/// A device on which the trainer's work, and a sketch behind it, takes longer has most likely failed.
constexpr double kSketchSeconds = 30.0;

std::shared_ptr<const TopologyPolicy> policy_for(const Options& options) {
  if (options.topology_policy != nullptr) return options.topology_policy;
  if (options.topology) return fixed_policy(*options.topology);
  return named_policy(options.graph, options.world_size, options.rate);
}

/// All of the run.
Topology start_graph(const TopologyPolicy& policy, int workers) {
  std::vector<int> members(static_cast<std::size_t>(workers));
  std::iota(members.begin(), members.end(), 0);
  return topology::PresentGraph(policy, std::move(members)).topology();
}

/// The trainer's turn at the gate, and how long it took to get in. leave() says when the trainer's work is
/// enqueued (devices) or done (host); without it, because something was thrown, what is left is only logged.
class TrainerInside {
 public:
  /// inside: says so to calls from further down.
  TrainerInside(exchange::Replica& replica, bool& inside, std::atomic<double>& waited)
      : replica_(replica), inside_(inside), began_(std::chrono::steady_clock::now()) {
    replica_.enter_trainer();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    waited.store(waited.load(std::memory_order_relaxed) + took.count(), std::memory_order_relaxed);
    inside_ = true;
  }
  ~TrainerInside() {
    if (!inside_) return;
    try {
      leave();
    } catch (const std::exception& error) {
      support::error("{}", error.what());
    }
  }
  void leave() {
    inside_ = false;
    replica_.leave_trainer();
  }
  std::chrono::steady_clock::time_point began() const { return began_; }
  TrainerInside(const TrainerInside&) = delete;
  TrainerInside& operator=(const TrainerInside&) = delete;

 private:
  exchange::Replica& replica_;
  bool& inside_;
  std::chrono::steady_clock::time_point began_;
};

/// The trainer waits for others, and how long it did; also when what it waited for failed.
class WaitForPeers {
 public:
  explicit WaitForPeers(std::atomic<double>& waited)
      : waited_(waited), began_(std::chrono::steady_clock::now()) {}
  ~WaitForPeers() {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    waited_.store(waited_.load(std::memory_order_relaxed) + took.count(), std::memory_order_relaxed);
  }
  WaitForPeers(const WaitForPeers&) = delete;
  WaitForPeers& operator=(const WaitForPeers&) = delete;

 private:
  std::atomic<double>& waited_;
  std::chrono::steady_clock::time_point began_;
};

/// While the trainer's thread waits for a tree pass, which writes x on devices in an order of its own.
class HandedOver {
 public:
  explicit HandedOver(exchange::Replica& replica) : replica_(replica) { replica_.hand_over(); }
  ~HandedOver() {
    if (!over_) return;
    try {
      replica_.take_back();
    } catch (const std::exception& error) {
      support::error("{}", error.what());
    }
  }
  void take_back() {
    over_ = false;
    replica_.take_back();
  }
  HandedOver(const HandedOver&) = delete;
  HandedOver& operator=(const HandedOver&) = delete;

 private:
  exchange::Replica& replica_;
  bool over_ = true;
};

}  // namespace

class Worker::Impl : public StepContext {
 public:
  Impl(Options given, std::vector<Buffer> buffers)
      : options(validated(std::move(given))),
        policy(policy_for(options)),
        topology(start_graph(*policy, options.world_size)) {
    const bool synchronous = algorithm_kind(options.algorithm) == AlgorithmKind::kStep;
    gossips = options.algorithm == "dpsgd";
    if (synchronous) step_algorithm = make_step_algorithm(options.algorithm);
    if (options.world_size == 1) {
      support::info("one worker: training as the plain optimizer would, without communication");
      replica.emplace(std::move(buffers), false, options.block_bytes);
      return;
    }
    Constants constants;
    std::unique_ptr<MeetingAlgorithm> algorithm;
    if (gossips) {
      // Nobody hears from all others in a step: whether to stop is decided as with meetings.
    } else if (synchronous) {
      // Whether to stop is agreed upon by averaging it along: everyone stops after the same step.
      buffers.push_back({&vote, 1, DType::kFloat32, "duet.vote", {}, BufferRole::kStatistics, 0});
    } else {
      // Plain averaging needs none, and may meet on graphs that are too large for dense linear algebra.
      // Monitors show them all the same, where they are to be had at once.
      if (options.algorithm == "a2cid2" || topology.has_closed_form() || options.world_size <= kSmallGraph) {
        constants = topology.constants();
      }
      algorithm = make_meeting_algorithm(options.algorithm, constants);
    }
    print_sources();
    // Before joining: it takes a while for a large model, and who has joined must not be silent.
    // Rounds of gossip gather their corrections where momentum is otherwise.
    const bool momentum = gossips || (algorithm != nullptr && algorithm->has_momentum());
    replica.emplace(buffers, momentum, options.block_bytes);
    auto joined = worker::join(options, topology, buffers);
    options.run_id = joined.roster.run_id;
    if (options.transport == "auto") options.transport = joined.roster.transport;
    communication =
        std::make_unique<worker::Communication>(std::move(joined), options, topology, *policy, constants,
                                                std::move(algorithm), gossips, *replica, shared);
    HandedOver handed(*replica);
    communication->start(options.keep_start).get();
    handed.take_back();
  }

  // ---- StepContext
  int members() const override { return communication->live_members(); }
  double rate() const override { return options.rate; }
  void average(double timeout) override {
    const auto samples = shared.samples.load() * static_cast<std::uint64_t>(members());
    vote = options.sample_goal > 0 && samples >= options.sample_goal ? 1.0F : 0.0F;
    {
      const WaitForPeers wait(shared.peer_wait_seconds);
      HandedOver handed(*replica);
      communication->average(timeout).get();
      handed.take_back();
    }
    if (vote > 0.0F) agreed_to_stop.store(true);
  }

  void gossip(double timeout) override {
    if (!gossips) throw Error("StepContext::gossip() is for algorithms that gossip in every step (dpsgd)");
    communication->gossip(timeout).get();
    // The trainer's next forward pass is at the new position, not only its next update.
    TrainerInside turn = enter();
    replica->deliver();
    turn.leave();
  }

  /// Before the gate: who is in there already, or is the communication thread, would wait for itself.
  void check_caller() const {
    if (communication != nullptr && communication->is_this_thread()) {
      throw Error(
          "step(), edit(), set_stream() and finish() are for the trainer's thread; the observer of "
          "meetings may not call them");
    }
    if (inside) {
      throw Error(
          "step(), edit(), sketch(), set_stream() and finish() may not be called from within the "
          "function that was handed to step() or edit(): call them one after the other");
    }
  }

  TrainerInside enter() {
    check_caller();
    return {*replica, inside, shared.gate_seconds};
  }

  /// From one step to the next; no system call, no lock, no memory.
  void count_step(std::chrono::steady_clock::time_point began) {
    if (last_step) {
      const std::chrono::duration<double> since = began - *last_step;
      shared.step_duration.record(since.count());
    }
    last_step = began;
  }

  static Options validated(Options options) {
    options.validate();
    return options;
  }

  void print_sources() const {
    for (const auto& source : options.origins()) {
      if (source.origin == "default") continue;
      const auto line = fmt::format("{} = {} ({})", source.name, source.value, source.origin);
      if (options.rank == 0) {
        support::info("{}", line);
      } else {
        support::debug("{}", line);
      }
    }
  }

  Options options;
  std::shared_ptr<const TopologyPolicy> policy;
  Topology topology;
  worker::Shared shared;
  std::optional<exchange::Replica> replica;
  std::optional<worker::PositionSketch> sketch;  ///< the trainer's
  std::unique_ptr<StepAlgorithm> step_algorithm;
  bool gossips = false;  ///< step_algorithm asks for rounds with the neighbours, not for averages of all
  float vote = 0.0F;
  std::atomic<bool> agreed_to_stop{false};
  std::optional<std::chrono::steady_clock::time_point> last_step;  ///< when it began; the trainer's
  bool finished = false;
  bool inside = false;  ///< the trainer is in the gate; its thread alone looks at this
  /// Its thread uses all of the above.
  std::unique_ptr<worker::Communication> communication;
  /// Last: its threads ask the worker about everything.
  std::shared_ptr<void> exporter;
};

Worker::Worker(Options options, std::vector<Buffer> buffers)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(buffers))) {
  if (impl_->options.metrics_port >= 0) impl_->exporter = worker::start_exporter(*this);
}

Worker::~Worker() {
  // While there still is a worker to ask.
  impl_->exporter.reset();
}

void Worker::step(const std::function<void()>& update, std::uint64_t samples) {
  Impl& impl = *impl_;
  if (impl.finished)
    throw Error("Worker::step() after finish(): this worker has left the run; make a new one");
  {
    TrainerInside inside = impl.enter();
    impl.count_step(inside.began());
    impl.replica->deliver();
    update();
    inside.leave();
  }
  impl.shared.samples.fetch_add(samples, std::memory_order_relaxed);
  const auto step = impl.shared.steps.fetch_add(1);
  if (impl.communication == nullptr) return;
  impl.shared.wake_up.wake();
  if (impl.step_algorithm != nullptr) impl.step_algorithm->after_update(impl, step);
}

void Worker::edit(const std::function<void()>& change) {
  TrainerInside inside = impl_->enter();
  impl_->replica->deliver();
  change();
  inside.leave();
}

bool Worker::done() const {
  const Impl& impl = *impl_;
  if (impl.options.sample_goal == 0) return false;
  const auto own = impl.shared.samples.load(std::memory_order_relaxed);
  if (impl.communication == nullptr) return own >= impl.options.sample_goal;
  if (impl.step_algorithm != nullptr && !impl.gossips) return impl.agreed_to_stop.load();
  // Nobody tells any more how far the others are: as far as this one, most likely.
  if (impl.shared.failed.load())
    return own * static_cast<std::uint64_t>(impl.options.world_size) >= impl.options.sample_goal;
  return std::max(own, impl.shared.run_samples.load(std::memory_order_relaxed)) >= impl.options.sample_goal;
}

void Worker::report_loss(double loss) {
  impl_->shared.loss.store(loss, std::memory_order_relaxed);
  impl_->shared.losses.fetch_add(1, std::memory_order_release);
}

FinishResult Worker::finish() {
  Impl& impl = *impl_;
  impl.check_caller();
  if (std::exchange(impl.finished, true)) throw Error("Worker::finish() was called before");
  if (impl.communication == nullptr) {
    FinishResult alone;
    alone.members = {impl.options.rank};
    alone.lowest = true;
    return alone;
  }
  HandedOver handed(*impl.replica);
  FinishResult result = impl.communication->finish().get();
  handed.take_back();
  return result;
}

std::map<int, std::string> Worker::gather(const std::string& text, double timeout) {
  if (text.size() > kLargestGathered) {
    throw Error("Worker::gather(): a text of " + std::to_string(text.size()) +
                " bytes is too long; at most " + std::to_string(kLargestGathered));
  }
  if (impl_->communication == nullptr) return {{impl_->options.rank, text}};
  return impl_->communication->gather(text, timeout).get();
}

void Worker::on_meeting(std::function<void(const MeetingEvent&)> observer) {
  if (impl_->communication != nullptr) impl_->communication->observe(std::move(observer)).get();
}

std::vector<double> Worker::sketch() {
  Impl& impl = *impl_;
  if (impl.communication != nullptr && impl.communication->is_this_thread())
    return impl.communication->sketch();
  if (!impl.sketch) {
    impl.sketch.emplace(*impl.replica, worker::sketch_seed(impl.options.seed),
                        worker::PositionSketch::Side::kTrainer);
  }
  TrainerInside inside = impl.enter();
  impl.sketch->reset();
  impl.sketch->add(impl.replica->parameter_block_count(), 0.0);
  impl.sketch->wait(kSketchSeconds);
  inside.leave();
  return impl.sketch->values();
}

void Worker::set_stream(int device_index, void* stream) {
  impl_->check_caller();
  impl_->replica->set_stream(device_index, stream);
}

RunStatus Worker::status() const {
  const Impl& impl = *impl_;
  RunStatus status;
  {
    const std::lock_guard lock(impl.shared.mutex);
    status = impl.shared.status;
  }
  const auto own_steps = impl.shared.steps.load(std::memory_order_relaxed);
  const auto own_samples = impl.shared.samples.load(std::memory_order_relaxed);
  if (impl.communication == nullptr) {
    status.members = 1;
    status.loss = impl.shared.losses.load(std::memory_order_acquire) > 0
                      ? impl.shared.loss.load(std::memory_order_relaxed)
                      : std::numeric_limits<double>::quiet_NaN();
  }
  // Between two ticks at least what is known here for certain.
  status.steps = std::max({status.steps, own_steps, impl.shared.run_steps.load(std::memory_order_relaxed)});
  status.samples =
      std::max({status.samples, own_samples, impl.shared.run_samples.load(std::memory_order_relaxed)});
  return status;
}

WorkerStatistics Worker::statistics() const {
  const Impl& impl = *impl_;
  WorkerStatistics statistics;
  {
    const std::lock_guard lock(impl.shared.mutex);
    statistics = impl.shared.statistics;
  }
  statistics.rank = impl.options.rank;
  statistics.steps = impl.shared.steps.load(std::memory_order_relaxed);
  statistics.samples = impl.shared.samples.load(std::memory_order_relaxed);
  statistics.gate_seconds = impl.shared.gate_seconds.load(std::memory_order_relaxed);
  statistics.peer_wait_seconds = impl.shared.peer_wait_seconds.load(std::memory_order_relaxed);
  statistics.step_duration = impl.shared.step_duration.copy();
  return statistics;
}

std::vector<int> Worker::lost() const {
  const std::lock_guard lock(impl_->shared.mutex);
  return impl_->shared.lost;
}

std::vector<MemberStatus> Worker::members() const {
  const std::lock_guard lock(impl_->shared.mutex);
  if (!impl_->shared.members.empty()) return impl_->shared.members;
  MemberStatus alone;
  alone.rank = impl_->options.rank;
  alone.local_rank = impl_->options.local_rank;
  alone.metrics_address = impl_->shared.metrics_address;
  return {alone};
}

std::string Worker::telemetry_address() const {
  return impl_->communication == nullptr ? std::string() : impl_->communication->telemetry_address();
}

std::string Worker::metrics_address() const {
  const std::lock_guard lock(impl_->shared.mutex);
  return impl_->shared.metrics_address;
}

void Worker::set_metrics_address(const std::string& address) {
  {
    const std::lock_guard lock(impl_->shared.mutex);
    impl_->shared.metrics_address = address;
  }
  // After it: the communication thread looks at the flag first.
  impl_->shared.metrics_changed.store(true, std::memory_order_relaxed);
}

const Options& Worker::options() const {
  return impl_->options;
}
const Topology& Worker::topology() const {
  return impl_->topology;
}
int Worker::rank() const {
  return impl_->options.rank;
}
int Worker::world_size() const {
  return impl_->options.world_size;
}
const std::string& Worker::run_id() const {
  return impl_->options.run_id;
}

}  // namespace duet
