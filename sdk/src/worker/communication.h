#pragma once

#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/channel.h"
#include "duet/algorithm.h"
#include "duet/options.h"
#include "duet/status.h"
#include "duet/topology.h"
#include "exchange/replica.h"
#include "membership/roster.h"
#include "transport/transport.h"
#include "worker/finisher.h"
#include "worker/gatherer.h"
#include "worker/liveness.h"
#include "worker/meeting_driver.h"
#include "worker/position_sketch.h"
#include "worker/postbox.h"
#include "worker/round_driver.h"
#include "worker/shared.h"
#include "worker/telemetry_driver.h"
#include "worker/tick_driver.h"
#include "worker/tree_runner.h"

namespace duet::worker {

/// The communication thread and all that it owns: sockets, data connections, pairing, ticks, the tree. The
/// trainer hands in requests (the public functions, callable from its thread) and waits for their futures,
/// which are always fulfilled: every stage behind them has a deadline, and if the thread ends early they
/// carry the reason.
///
/// Shutdown: stop() (or the destructor) makes the loop say goodbye and end; a meeting under way is broken
/// off, its buffers are let go when the transport's context is closed. The destructor joins.
class Communication {
 public:
  /// What joining came to; the sockets are in use from here on by the new thread alone.
  struct Joined {
    std::unique_ptr<control::Channel> channel;
    std::unique_ptr<transport::Context> context;
    membership::Roster roster;
    std::unique_ptr<telemetry::Publisher> publisher;  ///< null: no telemetry
  };
  /// algorithm: null for a synchronous (step) algorithm, then no meetings are held. rounds: it gossips.
  /// policy: whose graph among all of the run `topology` is; constants: that graph's.
  Communication(Joined joined, const Options& options, const Topology& topology, const TopologyPolicy& policy,
                const Constants& constants, std::unique_ptr<MeetingAlgorithm> algorithm, bool rounds,
                exchange::Replica& replica, Shared& shared);
  ~Communication();

  /// Takes part in the broadcast of rank 0's parameters (keep: everyone keeps its own); meetings begin when
  /// it is complete. The trainer must not touch the parameters until the future is ready (the same for
  /// average() and the last part of finish()).
  std::future<void> start(bool keep);
  std::future<void> average(double timeout);
  /// A round of gossip; its corrections wait for delivery then.
  std::future<void> gossip(double timeout);
  std::future<FinishResult> finish();
  std::future<std::map<int, std::string>> gather(std::string text, double timeout);
  std::future<void> observe(std::function<void(const MeetingEvent&)> observer);
  void stop();

  /// In the communication thread, from within the observer.
  std::vector<double> sketch();
  bool is_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  const std::string& telemetry_address() const { return telemetry_.address(); }
  /// Live members, as of the last change.
  int live_members() const { return live_members_.load(std::memory_order_relaxed); }

 private:
  /// What the trainer asks for, with the promise of an answer: one of the two is called, once, by the thread.
  struct Request {
    std::function<void(double now)> run;
    std::function<void(std::exception_ptr)> fail;
  };
  /// begin(now, promise) is called in the thread and keeps the promise, or sees to it. Throws Error from
  /// within the observer: the thread cannot wait for itself.
  template <typename Result, typename Begin>
  std::future<Result> post(Begin begin);
  void post(Request request);
  void run();
  void loop();
  bool turn(double now);
  void sleep(double now);
  void dispatch(double now, Postbox::Letter letter);
  void on_members_changed(double now);
  void repair_graph(double now, const std::vector<int>& live);
  void advance_tree_requests(double now);
  void open_meetings(double now);
  void fail(const std::string& why);

  const Options& options_;
  const TopologyPolicy& policy_;
  Constants constants_;  ///< of the graph among those present
  exchange::Replica& replica_;
  Shared& shared_;

  // Owned by the thread from construction on. Order matters: connections before the context, all before the
  // channel.
  std::unique_ptr<control::Channel> channel_;
  membership::Roster roster_;
  std::unique_ptr<transport::Context> context_;
  telemetry::EventQueue events_;
  Postbox postbox_;
  Liveness liveness_;
  std::unique_ptr<MeetingDriver> meetings_;
  std::unique_ptr<RoundDriver> rounds_;
  TickDriver ticks_;
  TelemetryDriver telemetry_;
  std::unique_ptr<PositionSketch> sketch_;  ///< for observers
  TreeRunner runner_;
  Finisher finisher_;
  Gatherer gatherer_;

  /// start() or average() under way.
  std::promise<void> tree_promise_;
  bool tree_request_ = false;
  bool starting_ = false;
  bool started_ = false;  ///< the start is complete
  bool open_ = false;     ///< and meetings are held
  /// Pairing messages that came before.
  std::vector<Postbox::Letter> early_;
  std::uint64_t tree_version_ = 0;
  std::atomic<int> live_members_{0};

  std::mutex mutex_;  ///< guards requests_, stopping_, ended_ and failure_
  std::vector<Request> requests_;
  bool stopping_ = false;
  bool ended_ = false;  ///< nobody looks at requests_ any more; failure_ says why
  std::string failure_;

  std::thread thread_;
};

}  // namespace duet::worker
