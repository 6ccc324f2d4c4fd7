#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "duet/observer/source.h"
#include "inbox.h"
#include "roster_tracker.h"

namespace duet::observer {

class Subscriber;

/// Workers' telemetry as it comes. Its thread owns sockets and tracker and fills the inbox; everything else
/// is called by the observer's thread. What both see is the inbox and, under the mutex, the status.
class LiveSource final : public Source {
 public:
  explicit LiveSource(const LiveOptions& options);
  ~LiveSource() override;
  LiveSource(const LiveSource&) = delete;
  LiveSource& operator=(const LiveSource&) = delete;

  bool take(double now, std::size_t most, std::vector<Arrival>& into) override;
  double time(double now) const override;
  SourceStatus status() const override;

 private:
  void run(std::unique_ptr<Subscriber> door, std::unique_ptr<Subscriber> members);
  void receive(Subscriber& from, bool through_door, double now);
  void publish_status(double now, Subscriber& door);

  const LiveOptions options_;
  const Address address_;
  RosterTracker tracker_;  // of the thread alone, as is most of what follows
  Inbox inbox_;
  int wake_;  ///< an event descriptor: the thread is to end
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  SourceStatus status_;  ///< under the mutex
  std::thread thread_;   // last: it uses all of the above
};

}  // namespace duet::observer
