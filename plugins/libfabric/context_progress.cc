#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "context.h"
#include "greeting.h"

/// The half of Context that runs in poll(): what libfabric reports, and what time does.
namespace duet::libfabric {

namespace {

/// A request that nobody accepts is refused after this; its sender's own deadline usually comes first.
constexpr std::uint64_t kEarlyRequestPatience = 10'000'000'000;
/// In a large run the root of a star may be asked by everyone before it has begun to accept.
constexpr std::size_t kMostEarlyRequests = 4096;
/// A transfer wakes us for each part that arrives, so a few wake-ups without a result mean nothing.
constexpr unsigned kSuspiciousWakeups = 64;
constexpr std::uint64_t kLongestUnsafeSleep = 2'000'000;
/// A device stream tells nobody that it has come to a mark: how often to look.
constexpr std::uint64_t kStreamGlance = 50'000;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

std::string describe(const Operation& operation) {
  return std::string(operation.is_send ? "a send of " : "a receive of ") + std::to_string(operation.bytes) +
         " bytes";
}

[[noreturn]] void break_down(const std::string& what, ssize_t code) {
  throw FailureError(Failure{DUET_BROKEN, static_cast<int>(-code),
                             "libfabric: " + what + ": " + fabric_error_text(static_cast<int>(code))});
}

}  // namespace

std::uint32_t Context::poll(std::span<duet_completion> completions, std::uint64_t timeout_ns) {
  const std::uint64_t start = Host::now_ns();
  const std::uint64_t end = timeout_ns > kNever - start ? kNever : start + timeout_ns;
  for (;;) {
    progress();
    if (!finished_.empty() || state_changed_) {
      idle_wakeups_ = 0;
      break;
    }
    if (++idle_wakeups_ % kSuspiciousWakeups == 0) {
      look_for_dead_sockets();
    }
    const std::uint64_t now = Host::now_ns();
    if (now >= end) {
      break;
    }
    const std::uint64_t wake = deadlines_.empty() ? end : std::min(end, deadlines_.begin()->first);
    std::uint64_t longest = wake - std::min(wake, now);
    if (waits_for_stream_) {
      longest = std::min(longest, kStreamGlance);
    }
    if (suspects_.empty() && longest > 0 && ready_to_sleep(longest)) {
      sleep(longest);
    }
  }
  state_changed_ = false;
  const auto count = std::min(finished_.size(), completions.size());
  std::copy_n(finished_.begin(), count, completions.begin());
  finished_.erase(finished_.begin(), finished_.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<std::uint32_t>(count);
}

/// libfabric's refusal asks for one more poll. When that brought nothing either, a message waits for a
/// receive that only the host can post: sleep all the same, but not for long, as this is more than libfabric
/// promises.
bool Context::ready_to_sleep(std::uint64_t& timeout_ns) {
  if (fabric_.may_sleep()) {
    refused_sleeps_ = 0;
    fabric_.watch_levels();
    return true;
  }
  if (++refused_sleeps_ == 1) {
    return false;
  }
  fabric_.watch_news();
  timeout_ns = std::min(timeout_ns, kLongestUnsafeSleep);
  return true;
}

void Context::sleep(std::uint64_t nanoseconds) const {
  pollfd interest{fabric_.descriptor(), POLLIN, 0};
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(std::min<std::uint64_t>(nanoseconds / 1'000'000'000, 3600));
  timeout.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  ppoll(&interest, 1, &timeout, nullptr);  // an interrupted sleep is a short one
}

bool Context::arm(std::uint64_t& timeout_ns) {
  if (!finished_.empty() || state_changed_ || !suspects_.empty()) {
    return false;
  }
  if (!deadlines_.empty()) {
    const std::uint64_t now = Host::now_ns();
    const std::uint64_t deadline = deadlines_.begin()->first;
    if (deadline <= now) {
      return false;
    }
    timeout_ns = std::min(timeout_ns, deadline - now);
  }
  if (waits_for_stream_) {
    timeout_ns = std::min(timeout_ns, kStreamGlance);
  }
  return ready_to_sleep(timeout_ns);
}

void Context::progress() {
  fabric_.clear_news();  // before looking, so that what comes meanwhile is news again
  drain_completions();
  drain_events();
  advance_streams();
  settle();
  expire(Host::now_ns());
}

void Context::drain_completions() {
  std::array<fi_cq_msg_entry, 16> entries;
  for (;;) {
    const ssize_t count = fi_cq_read(&fabric_.completions(), entries.data(), entries.size());
    if (count == -FI_EAGAIN || count == 0) {
      return;
    }
    if (count == -FI_EAVAIL) {
      read_failed_completion();
      continue;
    }
    if (count < 0) {
      break_down("fi_cq_read", count);
    }
    for (ssize_t index = 0; index < count; ++index) {
      const fi_cq_msg_entry& entry = entries[static_cast<std::size_t>(index)];
      const auto found = operations_.find(reinterpret_cast<std::uintptr_t>(entry.op_context));
      if (found == operations_.end()) {
        continue;  // of a connection that is closed: its operations have been ended
      }
      Connection& connection = *found->second.connection;
      complete(found, DUET_OK, found->second.is_send ? found->second.bytes : entry.len);
      if (connection.has_queued()) {
        flush(connection);
      }
    }
  }
}

void Context::read_failed_completion() {
  fi_cq_err_entry entry{};
  const ssize_t count = fi_cq_readerr(&fabric_.completions(), &entry, 0);
  if (count == -FI_EAGAIN) {
    return;
  }
  if (count < 0) {
    break_down("fi_cq_readerr", count);
  }
  const auto found = operations_.find(reinterpret_cast<std::uintptr_t>(entry.op_context));
  if (found == operations_.end()) {
    return;
  }
  const Operation& operation = found->second;
  Connection& connection = *operation.connection;
  if (operation.cancelling && entry.err == FI_ECANCELED) {
    connection.note(connection.failure_of(DUET_CANCELLED, 0, describe(operation) + " was cancelled"));
    complete(found, DUET_CANCELLED, 0);
    return;
  }
  if (entry.err == FI_ETRUNC) {
    suspect(connection, connection.failure_of(DUET_MISUSE, entry.err,
                                              describe(operation) + " is shorter than its message"));
    return;
  }
  // The tcp provider cancels whatever is queued when the connection ends, and says in an event of its own
  // why.
  suspect(connection, connection.failure_of(DUET_PEER_LOST, entry.err, describe(operation) + " failed"),
          entry.err == FI_ECANCELED);
}

void Context::drain_events() {
  constexpr std::size_t kMostGreetingBytes = 256;
  alignas(fi_eq_cm_entry) std::array<std::byte, sizeof(fi_eq_cm_entry) + kMostGreetingBytes> buffer{};
  for (;;) {
    std::uint32_t event = 0;
    const ssize_t count = fi_eq_read(&fabric_.events(), &event, buffer.data(), buffer.size(), 0);
    if (count == -FI_EAGAIN || count == 0) {
      return;
    }
    if (count == -FI_EAVAIL) {
      read_failed_event();
      continue;
    }
    if (count < 0) {
      break_down("fi_eq_read", count);
    }
    const auto& entry = *reinterpret_cast<const fi_eq_cm_entry*>(buffer.data());
    if (event == FI_CONNREQ) {
      const std::size_t greeting_bytes = static_cast<std::size_t>(count) - sizeof entry;
      on_request(InfoPtr(entry.info), std::span(buffer).subspan(sizeof entry, greeting_bytes));
      continue;
    }
    const auto found = by_endpoint_.find(entry.fid);
    if (found == by_endpoint_.end()) {
      continue;
    }
    if (event == FI_CONNECTED) {
      on_ready(*found->second);
    } else if (event == FI_SHUTDOWN) {
      suspect(*found->second,
              found->second->failure_of(DUET_PEER_LOST, 0, "the peer closed the connection, or died"));
    }
  }
}

void Context::read_failed_event() {
  fi_eq_err_entry entry{};
  const ssize_t count = fi_eq_readerr(&fabric_.events(), &entry, 0);
  if (count == -FI_EAGAIN) {
    return;
  }
  if (count < 0) {
    break_down("fi_eq_readerr", count);
  }
  const auto found = by_endpoint_.find(entry.fid);
  if (found == by_endpoint_.end()) {
    return;
  }
  Connection& connection = *found->second;
  const bool connecting = connection.state() == Connection::State::kPending;
  suspect(connection, connection.failure_of(DUET_PEER_LOST, entry.err,
                                            connecting ? "cannot connect" : "the connection broke"));
}

void Context::on_request(InfoPtr request, std::span<const std::byte> data) {
  const std::optional<Greeting> greeting = Greeting::parse(data);
  if (!greeting) {
    reject(std::move(request), "it is none of Duet's");
    return;
  }
  const auto awaited = awaited_.find(greeting->session);
  if (awaited != awaited_.end()) {
    Connection& connection = *awaited->second;
    awaited_.erase(awaited);
    take(connection, std::move(request));
    return;
  }
  if (early_.contains(greeting->session)) {
    reject(std::move(request), "another request has the same session");
    return;
  }
  if (early_.size() >= kMostEarlyRequests) {
    reject(std::move(request), "too many wait to be accepted");
    return;
  }
  EarlyRequest& early = early_[greeting->session];
  early.info = std::move(request);
  early.id = next_id_++;
  set_deadline(Host::now_ns() + kEarlyRequestPatience, early.id);
}

void Context::reject(InfoPtr request, const char* why) {
  Host::count("transport_connect_requests_rejected");
  Host::log(DUET_LOG_DEBUG, std::string("libfabric: a connect request was rejected: ") + why);
  fabric_.reject(*request);
}

void Context::on_ready(Connection& connection) {
  if (connection.state() != Connection::State::kPending) {
    return;
  }
  const auto deadline = connect_deadlines_.find(connection.id());
  if (deadline != connect_deadlines_.end()) {
    clear_deadline(deadline->second, connection.id());
    connect_deadlines_.erase(deadline);
  }
  connection.set_ready();
  state_changed_ = true;
  flush(connection);
}

void Context::flush(Connection& connection) {
  const ssize_t code = connection.flush();
  if (code != 0) {
    suspect(connection, connection.refusal(code, "a queued operation was refused"));
  }
}

void Context::advance_streams() {
  waits_for_stream_ = false;
  if (!fabric_.moves_cuda_memory()) {
    return;
  }
  for (const auto& [id, connection] : connections_) {
    if (connection->waits_for_stream()) {
      flush(*connection);
      waits_for_stream_ = waits_for_stream_ || connection->waits_for_stream();
    }
  }
}

/// A message that arrives before its receive is posted stops the tcp provider from reading that socket.
/// Should the peer's death reset it then, the provider is woken for ever and reports nothing. The system
/// knows better.
void Context::look_for_dead_sockets() {
  for (const auto& [endpoint, connection] : by_endpoint_) {
    if (connection->state() == Connection::State::kReady && !connection->socket_alive()) {
      suspect(*connection,
              connection->failure_of(DUET_PEER_LOST, 0, "the connection was reset: the peer died"));
    }
  }
}

void Context::suspect(Connection& connection, const Failure& failure, bool weak) {
  if (!connection.suspicion()) {
    suspects_.push_back(connection.id());
  }
  connection.suspect(failure, weak);
}

void Context::settle() {
  while (!suspects_.empty()) {
    drain_completions();  // what arrived before the end, arrived
    for (const std::uint64_t id : std::exchange(suspects_, {})) {
      const auto found = connections_.find(id);
      if (found != connections_.end()) {
        fail(*found->second, *found->second->suspicion());
      }
    }
  }
}

void Context::fail(Connection& connection, const Failure& failure) {
  if (connection.state() == Connection::State::kFailed) {
    return;
  }
  forget(connection);
  connection.fail(failure);
  end_all_operations(connection, failure.status);
  state_changed_ = true;
  Host::count("transport_connections_failed");
  Host::log(DUET_LOG_DEBUG, "libfabric: " + failure.text);
}

void Context::expire(std::uint64_t now_ns) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ns) {
    const std::uint64_t id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    if (const auto operation = operations_.find(id); operation != operations_.end()) {
      Connection& connection = *operation->second.connection;
      const Failure failure =
          connection.failure_of(DUET_TIMED_OUT, 0, describe(operation->second) + " passed its deadline");
      if (!operation->second.posted) {
        connection.remove_queued(operation->second);
        connection.note(failure);
        complete(operation, DUET_TIMED_OUT, 0);
        continue;
      }
      // libfabric cannot take one operation out of a stream: its connection ends with it.
      fail(connection, failure);
    } else if (const auto connection = connections_.find(id); connection != connections_.end()) {
      connect_deadlines_.erase(id);
      const bool accepting = connection->second->endpoint() == nullptr;
      fail(*connection->second,
           connection->second->failure_of(DUET_TIMED_OUT, 0,
                                          accepting ? "nobody connected before the deadline"
                                                    : "did not answer the connect before the deadline"));
    } else {
      const auto early = std::find_if(early_.begin(), early_.end(),
                                      [&](const auto& entry) { return entry.second.id == id; });
      if (early != early_.end()) {
        reject(std::move(early->second.info), "nobody accepted it in time");
        early_.erase(early);
      }
    }
  }
}

void Context::end_all_operations(const Connection& connection, duet_status status) {
  for (auto operation = operations_.begin(); operation != operations_.end();) {
    const auto current = operation++;
    if (current->second.connection == &connection) {
      complete(current, status, 0);
    }
  }
}

void Context::complete(Operations::iterator operation, duet_status status, std::uint64_t bytes) {
  finished_.push_back({operation->second.host_id, status, 0, bytes});
  if (operation->second.deadline_ns != 0) {
    clear_deadline(operation->second.deadline_ns, operation->first);
  }
  operations_.erase(operation);
}

}  // namespace duet::libfabric
