#include "worker/communication.h"

#include <pthread.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>
#include <variant>

#include "duet/error.h"
#include "support/exception_text.h"
#include "support/log.h"
#include "topology/present_graph.h"

namespace duet::worker {
namespace {

double now_seconds() {
  return static_cast<double>(transport::now_ns()) * 1e-9;
}

/// Sleep for a transport without a descriptor: its completions are found by looking.
constexpr double kBlindSleep = 0.0002;
/// A start whose root died, or whose members are out of reach, is an error within this time.
constexpr double kStartTimeout = 8.0;
/// Until the trainer lets go of the gate for a sketch that an observer asked for.
constexpr double kSketchPatience = 1.0;

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

Communication::Communication(Joined joined, const Options& options, const Topology& topology,
                             const TopologyPolicy& policy, const Constants& constants,
                             std::unique_ptr<MeetingAlgorithm> algorithm, bool rounds,
                             exchange::Replica& replica, Shared& shared)
    : options_(options),
      policy_(policy),
      constants_(constants),
      replica_(replica),
      shared_(shared),
      channel_(std::move(joined.channel)),
      roster_(std::move(joined.roster)),
      context_(std::move(joined.context)),
      postbox_(*channel_, roster_, options.rank),
      liveness_(roster_, topology, options, postbox_, shared, now_seconds()),
      meetings_(algorithm == nullptr ? nullptr
                                     : std::make_unique<MeetingDriver>(
                                           replica, options, topology, std::move(algorithm), postbox_,
                                           *context_, roster_, events_, shared, now_seconds())),
      rounds_(rounds ? std::make_unique<RoundDriver>(replica, options, topology, postbox_, *context_, roster_,
                                                     liveness_, shared)
                     : nullptr),
      ticks_(replica, options, postbox_, shared),
      telemetry_(std::move(joined.publisher), options, roster_, replica, events_, shared, now_seconds()),
      runner_(replica, *context_, roster_, topology, options, liveness_, postbox_),
      finisher_(options, liveness_, meetings_.get(), runner_),
      gatherer_(options, liveness_, postbox_) {
  telemetry_.set_graph(topology, liveness_.members().live_ranks(), constants);
  thread_ = std::thread([this] { run(); });
}

Communication::~Communication() {
  stop();
  thread_.join();
}

void Communication::post(Request request) {
  if (is_this_thread()) {
    throw Error(
        "the observer of meetings may not call step(), edit(), finish(), gather(): they wait for the thread "
        "that "
        "it runs in; let it take a note for the trainer's thread");
  }
  {
    const std::lock_guard lock(mutex_);
    if (ended_) throw TransportError(failure_);
    requests_.push_back(std::move(request));
  }
  shared_.wake_up.wake();
}

template <typename Result, typename Begin>
std::future<Result> Communication::post(Begin begin) {
  auto promise = std::make_shared<std::promise<Result>>();
  auto future = promise->get_future();
  post({[promise, begin = std::move(begin)](double now) mutable { begin(now, std::move(*promise)); },
        [promise](std::exception_ptr why) { promise->set_exception(std::move(why)); }});
  return future;
}

std::future<void> Communication::start(bool keep) {
  return post<void>([this, keep](double now, std::promise<void> promise) {
    if (keep) {
      started_ = true;
      telemetry_.note(telemetry::FrameEventKind::kStarted, options_.rank);
      promise.set_value();
      return;
    }
    tree_promise_ = std::move(promise);
    tree_request_ = true;
    starting_ = true;
    TreeRunner::Request request;
    request.purpose = TreePurpose::kStart;
    request.operation = exchange::TreeOperation::kBroadcast;
    request.retry = false;
    request.timeout = kStartTimeout;
    // Others may still be on their way from the roster to here; a large model takes its time.
    request.deadline = now + std::max(kStartTimeout, options_.join_timeout);
    runner_.start(request, now);
  });
}

std::future<void> Communication::average(double timeout) {
  return post<void>([this, timeout](double now, std::promise<void> promise) {
    tree_promise_ = std::move(promise);
    tree_request_ = true;
    TreeRunner::Request request;
    request.purpose = TreePurpose::kStep;
    request.operation = exchange::TreeOperation::kAverage;
    request.timeout = timeout;
    request.deadline = now + 2.0 * timeout + options_.gone_after;
    runner_.start(request, now);
  });
}

std::future<void> Communication::gossip(double timeout) {
  return post<void>([this, timeout](double now, std::promise<void> promise) {
    rounds_->start(now, timeout, std::move(promise));
  });
}

std::future<FinishResult> Communication::finish() {
  return post<FinishResult>(
      [this](double now, std::promise<FinishResult> promise) { finisher_.start(now, std::move(promise)); });
}

std::future<std::map<int, std::string>> Communication::gather(std::string text, double timeout) {
  using Texts = std::map<int, std::string>;
  return post<Texts>(
      [this, text = std::move(text), timeout](double now, std::promise<Texts> promise) mutable {
        gatherer_.start(now, std::move(text), timeout, std::move(promise));
      });
}

std::future<void> Communication::observe(std::function<void(const MeetingEvent&)> observer) {
  if (is_this_thread()) {
    // The observer replaces itself.
    if (meetings_ != nullptr) meetings_->set_observer(std::move(observer));
    std::promise<void> done;
    done.set_value();
    return done.get_future();
  }
  return post<void>([this, observer = std::move(observer)](double, std::promise<void> promise) mutable {
    if (meetings_ != nullptr) meetings_->set_observer(std::move(observer));
    promise.set_value();
  });
}

void Communication::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  shared_.wake_up.wake();
}

std::vector<double> Communication::sketch() {
  if (!sketch_) {
    sketch_ = std::make_unique<PositionSketch>(replica_, sketch_seed(options_.seed),
                                               PositionSketch::Side::kCommunication);
  }
  sketch_->reset();
  if (!sketch_->add(replica_.parameter_block_count(), kSketchPatience)) {
    throw TimeoutError("sketch(): the trainer did not let go of the parameters within a second");
  }
  sketch_->wait(kSketchPatience);
  return sketch_->values();
}

void Communication::run() {
  pthread_setname_np(pthread_self(), "duet-comm");
  try {
    loop();
    fail("the worker was stopped");
  } catch (...) {
    const std::string why = support::exception_text();
    support::error("rank {}: communication ended: {}; training goes on alone", options_.rank, why);
    shared_.failed.store(true);
    fail(why);
  }
}

void Communication::fail(const std::string& why) {
  std::vector<Request> left;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    failure_ = why;
    left.swap(requests_);
  }
  for (const auto& request : left)
    request.fail(std::make_exception_ptr(TransportError(why)));
  if (std::exchange(tree_request_, false)) {
    tree_promise_.set_exception(std::make_exception_ptr(TransportError(why)));
  }
  if (rounds_ != nullptr) rounds_->fail(why);
  finisher_.fail(why);
  gatherer_.fail(why);
  const std::lock_guard lock(shared_.mutex);
  shared_.failure = why;
}

void Communication::loop() {
  for (;;) {
    const double now = now_seconds();
    std::vector<Request> requests;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex_);
      requests.swap(requests_);
      stopping = stopping_;
    }
    for (const auto& request : requests)
      request.run(now);
    if (stopping) break;
    if (!turn(now)) sleep(now);
  }
  const double now = now_seconds();
  if (meetings_ != nullptr) meetings_->stop(now);
  liveness_.say_goodbye(now);
  telemetry_.say_goodbye(now, liveness_, meetings_.get(), ticks_);
}

bool Communication::turn(double now) {
  bool more = false;
  // Bounded: a flood of letters must not keep the data waiting.
  constexpr int kLettersPerTurn = 64;
  int patience = kLettersPerTurn;
  while (auto letter = postbox_.receive(patience))
    dispatch(now, std::move(*letter));
  more |= patience < kLettersPerTurn;
  more |= context_->poll(0) > 0;

  liveness_.advance(now);
  on_members_changed(now);
  open_meetings(now);
  if (open_) {
    more |= meetings_->advance(now);
    liveness_.set_meetings(meetings_->meetings());
    ticks_.set_meetings(meetings_->meetings());
  }
  if (rounds_ != nullptr) {
    rounds_->advance(now);
    liveness_.set_meetings(rounds_->exchanges());
    ticks_.set_meetings(rounds_->exchanges());
  }
  advance_tree_requests(now);
  const auto stage_before = finisher_.active();
  finisher_.advance(now);
  if (stage_before && !finisher_.active() && meetings_ != nullptr) meetings_->publish(now);
  gatherer_.advance(now);
  // The average of a step leaves everyone a position at any time; the other passes make an end of one.
  ticks_.pause(!started_ || runner_.committing() ||
               (runner_.state() == TreeRunner::State::kRunning && runner_.purpose() != TreePurpose::kStep));
  more |= ticks_.advance(now);
  telemetry_.advance(now, liveness_, meetings_.get(), ticks_);
  return more;
}

void Communication::open_meetings(double now) {
  if (open_ || !started_ || meetings_ == nullptr) return;
  // Without a budget to wait for, the first step says that the embedder is ready.
  if (options_.unlimited_budget && shared_.steps.load() == 0) return;
  open_ = true;
  meetings_->open(now);
  for (auto& letter : std::exchange(early_, {}))
    dispatch(now, std::move(letter));
}

void Communication::advance_tree_requests(double now) {
  if (!tree_request_) return;
  switch (runner_.advance(now)) {
    case TreeRunner::State::kComplete:
      tree_request_ = false;
      tree_promise_.set_value();
      if (std::exchange(starting_, false)) {
        started_ = true;
        telemetry_.note(telemetry::FrameEventKind::kStarted, options_.rank);
        for (auto& letter : std::exchange(early_, {}))
          dispatch(now, std::move(letter));
      }
      return;
    case TreeRunner::State::kFailed:
      tree_request_ = false;
      tree_promise_.set_exception(std::make_exception_ptr(MembershipError(
          starting_ ? "rank " + std::to_string(options_.rank) +
                          ": rank 0's parameters did not arrive: " + runner_.error() + "; start the run again"
                    : "rank " + std::to_string(options_.rank) +
                          ": no average with the others: " + runner_.error())));
      return;
    default:
      return;
  }
}

void Communication::on_members_changed(double now) {
  const auto departed = liveness_.take_departed();
  if (meetings_ != nullptr) {
    for (const int rank : departed)
      meetings_->on_gone(now, rank);
  }
  for (const int rank : departed) {
    if (rank != options_.rank) {
      channel_->forget(roster_.entries[static_cast<std::size_t>(rank)].control_address);
    }
  }
  if (tree_version_ != liveness_.tree_version()) {
    tree_version_ = liveness_.tree_version();
    const auto live = liveness_.members().live_ranks();
    ticks_.set_tree(liveness_.tree(), XXH3_64bits(live.data(), live.size() * sizeof live[0]));
    live_members_.store(static_cast<int>(live.size()), std::memory_order_relaxed);
    if (!departed.empty()) repair_graph(now, live);
  }
}

void Communication::repair_graph(double now, const std::vector<int>& live) {
  // Given up by the others: nobody meets this worker any more.
  if (!std::binary_search(live.begin(), live.end(), options_.rank)) {
    telemetry_.note(telemetry::FrameEventKind::kGivenUp, options_.rank);
    return;
  }
  try {
    const topology::PresentGraph graph(policy_, live);
    if (replica_.has_momentum() || constants_.chi1 > 0.0)
      constants_ = topology::constants_in_time(graph.topology(), constants_);
    telemetry_.set_graph(graph.topology(), graph.members(), constants_);
    telemetry_.note(telemetry::FrameEventKind::kGraphRepaired, -1);
    if (meetings_ != nullptr) meetings_->set_graph(now, graph.neighbours(options_.rank), constants_);
  } catch (...) {
    // A policy is the embedder's: it may throw anything.
    telemetry_.keep_graph_among(live);
    // Without meetings nobody needs it.
    if (meetings_ == nullptr) return;
    support::error(
        "rank {}: no graph for the {} members that are left: {}; going on with the neighbours that are here",
        options_.rank, live.size(), support::exception_text());
  }
}

void Communication::dispatch(double now, Postbox::Letter letter) {
  const int from = letter.from;
  if (liveness_.members().of(from).phase == membership::Phase::kGone) {
    // It was silent for too long and is back: nothing that it says counts any more, but it should know.
    liveness_.tell_gone(now, from);
    return;
  }
  liveness_.heard(now, from);
  std::visit(Overloaded{
                 [&](const control::Heartbeat& body) { liveness_.on_heartbeat(now, from, body); },
                 [&](const control::Pair& body) {
                   if (meetings_ == nullptr) return;
                   if (open_) {
                     meetings_->on_message(now, from, body);
                   } else {
                     early_.push_back(letter);
                   }
                 },
                 [&](const control::TickUp& body) { ticks_.on_up(now, from, body); },
                 [&](const control::TickDown& body) { ticks_.on_down(now, from, body); },
                 [&](const control::Part& body) { gatherer_.on_part(from, body); },
                 [&](const control::PartReceived& body) { gatherer_.on_received(from, body); },
                 [&](const control::TicketRequest& body) {
                   // Each knows its own by their sessions.
                   runner_.on_ticket_request(from, body);
                   if (rounds_ != nullptr) rounds_->on_ticket_request(from, body);
                 },
                 [&](const control::Ticket& body) {
                   runner_.on_ticket(now, from, body);
                   if (rounds_ != nullptr) rounds_->on_ticket(from, body);
                 },
                 [&](const auto&) {},  // joining is over
             },
             letter.body);
}

void Communication::sleep(double now) {
  double deadline =
      std::min({liveness_.next_deadline(), ticks_.next_deadline(now), telemetry_.next_deadline(),
                finisher_.next_deadline(now), gatherer_.next_deadline()});
  if (open_) deadline = std::min(deadline, meetings_->next_deadline(now));
  if (rounds_ != nullptr) deadline = std::min(deadline, rounds_->next_deadline(now));
  if (tree_request_) deadline = std::min(deadline, runner_.next_deadline(now));
  double seconds = std::clamp(deadline - now, 0.0, 1.0);

  const int descriptor = context_->descriptor();
  if (descriptor >= 0) {
    auto nanoseconds = static_cast<std::uint64_t>(seconds * 1e9);
    if (!context_->arm(nanoseconds)) return;
    seconds = static_cast<double>(nanoseconds) * 1e-9;
  } else if (context_->in_flight() > 0) {
    seconds = std::min(seconds, kBlindSleep);
  }

  shared_.wake_up.falling_asleep();
  bool news = meetings_ != nullptr && meetings_->behind();
  {
    const std::lock_guard lock(mutex_);
    news = news || !requests_.empty() || stopping_;
  }
  if (!news) {
    const std::array<int, 2> descriptors{shared_.wake_up.descriptor(), descriptor};
    channel_->wait(seconds, std::span(descriptors).first(descriptor >= 0 ? 2 : 1));
  }
  shared_.wake_up.awake();
}

}  // namespace duet::worker
