#include "live_source.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "duet/error.h"
#include "subscriber.h"
#include "support/wall_clock.h"
#include "telemetry/frame.h"

namespace duet::observer {
namespace {

constexpr double kLongestWait = 0.5;  ///< seconds; the status is renewed at least this often
constexpr int kMostAtOnce = 1000;     ///< frames of one socket before the other one has its turn

double monotonic() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Address checked(const std::string& text) {
  std::string reason;
  const std::optional<Address> address = parse_address(text, &reason);
  if (!address) throw ConfigurationError("cannot connect to \"" + text + "\": " + reason);
  return *address;
}

int make_wake() {
  const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0)
    throw Error(std::string("no event descriptor for the observer: ") + std::strerror(errno));
  return descriptor;
}

}  // namespace

LiveSource::LiveSource(const LiveOptions& options)
    : options_(options),
      address_(checked(options.address)),
      tracker_(address_, options.most_workers, options.silence),
      inbox_(options.most_bytes),
      wake_(make_wake()) {
  status_.kind = SourceKind::kLive;
  status_.name = address_.text();
  try {
    auto door = std::make_unique<Subscriber>(options.secret);
    auto members = std::make_unique<Subscriber>(options.secret);
    thread_ = std::thread([this, one = std::move(door), others = std::move(members)]() mutable {
      try {
        run(std::move(one), std::move(others));
      } catch (const std::exception& error) {
        // No memory, or a socket that broke: whoever watches is told, and goes on.
        const std::lock_guard lock(mutex_);
        status_.state = SourceState::kEnded;
        status_.connections = 0;
        status_.retry_in.reset();
        status_.text = std::string("nothing is received any more: ") + error.what();
      }
    });
  } catch (...) {
    close(wake_);
    throw;
  }
}

LiveSource::~LiveSource() {
  ending_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  thread_.join();
  close(wake_);
}

bool LiveSource::take(double /*now*/, std::size_t most, std::vector<Arrival>& into) {
  return inbox_.take(most, into);
}

double LiveSource::time(double /*now*/) const {
  return support::wall_seconds();
}

SourceStatus LiveSource::status() const {
  SourceStatus status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
  }
  const Inbox::Totals totals = inbox_.totals();
  status.frames = totals.frames;
  status.bytes = totals.bytes;
  status.dropped = totals.dropped;
  return status;
}

void LiveSource::run(std::unique_ptr<Subscriber> door, std::unique_ptr<Subscriber> members) {
  using Kind = RosterTracker::Action::Kind;
  while (!ending_) {
    double now = monotonic();
    for (const RosterTracker::Action& action : tracker_.take_actions(now)) {
      switch (action.kind) {
        case Kind::kOpenDoor:
          door->connect(action.endpoint);
          break;
        case Kind::kCloseDoor:
          door->disconnect(action.endpoint);
          break;
        case Kind::kSubscribe:
          members->connect(action.endpoint);
          break;
        case Kind::kUnsubscribe:
          members->disconnect(action.endpoint);
          break;
      }
    }
    publish_status(now, *door);
    members->link();  // what is not read would pile up
    zmq_pollitem_t items[] = {{door->handle(), 0, ZMQ_POLLIN, 0},
                              {members->handle(), 0, ZMQ_POLLIN, 0},
                              {door->monitor(), 0, ZMQ_POLLIN, 0},
                              {nullptr, wake_, ZMQ_POLLIN, 0}};
    const double wait = std::clamp(tracker_.next_timer() - now, 0.0, kLongestWait);
    // Rounded up: otherwise it would spin through the last millisecond.
    zmq_poll(items, 4, static_cast<long>(std::ceil(wait * 1e3)));
    now = monotonic();
    receive(*door, true, now);
    receive(*members, false, now);
  }
}

void LiveSource::receive(Subscriber& from, bool through_door, double now) {
  Arrival arrival;
  for (int count = 0; count < kMostAtOnce && from.receive(arrival.bytes); ++count) {
    arrival.time = support::wall_seconds();
    // What cannot be read goes on all the same: whoever draws says so.
    if (const auto frame = telemetry::decode(arrival.bytes)) tracker_.on_frame(now, through_door, *frame);
    inbox_.put(std::move(arrival));
    arrival = {};
  }
}

void LiveSource::publish_status(double now, Subscriber& door) {
  SourceStatus status;
  status.kind = SourceKind::kLive;
  status.name = address_.text();
  status.state = tracker_.state(now);
  status.connections = tracker_.subscribed();
  status.retry_in = tracker_.retry_in(now);
  const Subscriber::Link link = door.link();
  if (status.state != SourceState::kRunning) {
    const std::string who = address_.text();
    if (link == Subscriber::Link::kRefused) {
      status.text =
          options_.secret.empty()
              ? who + " answers, but not with telemetry: another service's port, or a run with a secret"
              : who + " answers, but does not let us in: another secret, or another service's port";
    } else if (link == Subscriber::Link::kConnected) {
      status.text = who + " is connected, but sends no frames";
    } else if (status.state == SourceState::kReconnecting) {
      status.text = "no worker is heard any more; trying again";
    } else {
      status.text = "nobody answers at " + who + " yet; trying again";
    }
  }
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

std::unique_ptr<Source> make_live_source(const LiveOptions& options) {
  return std::make_unique<LiveSource>(options);
}

}  // namespace duet::observer
