#include "transport/faulty_context.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "support/log.h"

namespace duet::transport {
namespace {

/// splitmix64's finaliser: neighbouring sessions get unrelated faults.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void set_error(duet_error* error, duet_status status, const std::string& text) {
  if (error == nullptr) return;
  error->status = status;
  error->system_error = 0;
  std::snprintf(error->text, sizeof(error->text), "%s", text.c_str());
}

}  // namespace

bool FaultyContext::happens(FaultyConnection& connection, double probability) {
  // No draw for a fault that is off: turning one on does not change the others' sequence in surprising ways.
  return probability > 0.0 && std::uniform_real_distribution<>(0.0, 1.0)(connection.random) < probability;
}

duet_status FaultyContext::open(bool accept, const duet_connect_request& request,
                                FaultyConnection** connection, duet_error* error) {
  duet_connection* made = nullptr;
  const duet_status status = (accept ? inner_.accept : inner_.connect)(context_, &request, &made, error);
  if (status != DUET_OK) return status;
  auto wrapped = std::make_shared<FaultyConnection>();
  wrapped->context = this;
  wrapped->inner = made;
  wrapped->peer = request.peer == nullptr ? "peer" : request.peer;
  const std::uint64_t edge = mix(faults_.seed ^ mix(request.session));
  wrapped->random.seed(mix(edge + (accept ? 1 : 0)));
  // From the session alone, so that both ends agree.
  if (std::ldexp(static_cast<double>(edge >> 11), -53) < faults_.slow_edges)
    wrapped->factor = faults_.slow_factor;
  *connection = wrapped.get();
  connections_.emplace(wrapped.get(), std::move(wrapped));
  return DUET_OK;
}

void FaultyContext::close(FaultyConnection* connection) {
  connection->closed = true;
  if (connection->inner != nullptr) inner_.close_connection(std::exchange(connection->inner, nullptr));
  release_held(connection, DUET_CANCELLED);
  connections_.erase(connection);
}

void FaultyContext::disconnect(FaultyConnection& connection) {
  host_services().count("injected_disconnects", 1);
  connection.broken = true;
  connection.last_error = connection.peer + ": disconnected by an injected fault";
  inner_.close_connection(std::exchange(connection.inner, nullptr));
  release_held(&connection, DUET_PEER_LOST);
}

int32_t FaultyContext::state(const FaultyConnection& connection, duet_error* error) const {
  if (!connection.broken) return inner_.connection_state(connection.inner, error);
  set_error(error, DUET_PEER_LOST, connection.last_error);
  return DUET_CONNECTION_FAILED;
}

duet_status FaultyContext::send(FaultyConnection& connection, const duet_memory* memory, std::uint64_t id,
                                std::uint64_t deadline, duet_error* error) {
  duet_error failure{};
  if (state(connection, &failure) == DUET_CONNECTION_FAILED) {
    if (error != nullptr) *error = failure;
    return failure.status;
  }
  if (happens(connection, faults_.disconnect)) {
    disconnect(connection);
    set_error(error, DUET_PEER_LOST, connection.last_error);
    return DUET_PEER_LOST;
  }
  if (operations_.contains(id)) {
    set_error(error, DUET_MISUSE, "operation " + std::to_string(id) + " is already in flight");
    return DUET_MISUSE;
  }
  if (!connection.stalled && happens(connection, faults_.drop)) {
    connection.stalled = true;
    host_services().count("injected_drops", 1);
  }
  if (!connection.stalled) {
    const duet_status status = inner_.post_send(connection.inner, memory, id, deadline, error);
    if (status != DUET_OK) return status;
  }
  operations_[id] = {connections_.at(&connection), false, memory->data, deadline, false};
  // The sender of a lost message is told nothing, as on a network.
  if (connection.stalled) hold({id, DUET_OK, 0, memory->bytes}, now_ns());
  return DUET_OK;
}

duet_status FaultyContext::receive(FaultyConnection& connection, const duet_memory* memory, std::uint64_t id,
                                   std::uint64_t deadline, duet_error* error) {
  if (connection.broken) {
    set_error(error, DUET_PEER_LOST, connection.last_error);
    return DUET_PEER_LOST;
  }
  if (operations_.contains(id)) {
    set_error(error, DUET_MISUSE, "operation " + std::to_string(id) + " is already in flight");
    return DUET_MISUSE;
  }
  const duet_status status = inner_.post_receive(connection.inner, memory, id, deadline, error);
  if (status == DUET_OK)
    operations_[id] = {connections_.at(&connection), true,
                       memory->kind == DUET_MEMORY_HOST ? memory->data : nullptr, deadline, false};
  return status;
}

void FaultyContext::hold(const duet_completion& completion, std::uint64_t until) {
  operations_.at(completion.operation).held = true;
  held_.emplace(until, completion);
}

void FaultyContext::release_held(const FaultyConnection* connection, duet_status status) {
  const std::uint64_t now = now_ns();
  for (auto it = held_.upper_bound(now); it != held_.end();) {
    if (operations_.at(it->second.operation).connection.get() != connection) {
      ++it;
      continue;
    }
    held_.emplace(now, duet_completion{it->second.operation, status, 0, 0});
    it = held_.erase(it);
  }
}

void FaultyContext::completed(duet_completion completion, std::uint64_t now) {
  const auto found = operations_.find(completion.operation);
  if (found == operations_.end()) return;
  Operation& operation = found->second;
  const FaultyConnection& connection = *operation.connection;
  // The inner connection was closed by us, which is not what the host sees.
  if (completion.status == DUET_CANCELLED && connection.broken && !connection.closed)
    completion.status = DUET_PEER_LOST;
  if (operation.receive && completion.status == DUET_OK) {
    received(operation, completion, now);
  } else {
    hold(completion, now);
  }
}

void FaultyContext::received(Operation& operation, duet_completion completion, std::uint64_t now) {
  FaultyConnection& connection = *operation.connection;
  if (operation.data != nullptr && completion.bytes > 0 && happens(connection, faults_.corrupt)) {
    host_services().count("injected_corruptions", 1);
    const std::uint64_t bit = connection.random() % (completion.bytes * 8);
    static_cast<unsigned char*>(operation.data)[bit / 8] ^= static_cast<unsigned char>(1u << (bit % 8));
  }
  std::uint64_t until = now;
  if (faults_.bandwidth > 0.0) {
    const double seconds = static_cast<double>(completion.bytes) * connection.factor / faults_.bandwidth;
    connection.line_free_at =
        std::max(connection.line_free_at, now) + static_cast<std::uint64_t>(std::min(seconds, 1e9) * 1e9);
    until = connection.line_free_at;
  }
  until += static_cast<std::uint64_t>(std::min(faults_.delay * connection.factor, 1e9) * 1e9);
  if (connection.closed) {
    completion = {completion.operation, DUET_CANCELLED, 0, 0};
    until = now;
  } else if (operation.deadline != 0 && until > operation.deadline && until > now) {
    connection.last_error =
        fmt::format("{}: a receive of {} bytes was held back beyond its deadline by an injected fault",
                    connection.peer, completion.bytes);
    completion = {completion.operation, DUET_TIMED_OUT, 0, 0};
    until = std::max(operation.deadline, now);
  }
  hold(completion, until);
}

duet_status FaultyContext::poll(duet_completion* completions, std::uint32_t capacity,
                                std::uint64_t timeout_ns, std::uint32_t* count, duet_error* error) {
  const std::uint64_t start = now_ns();
  const std::uint64_t end = timeout_ns > UINT64_MAX - start ? UINT64_MAX : start + timeout_ns;
  std::uint64_t now = start;
  while (true) {
    const std::uint64_t until = held_.empty() ? end : std::min(end, held_.begin()->first);
    std::array<duet_completion, 64> batch;
    std::uint32_t arrived = 0;
    const duet_status status =
        inner_.poll(context_, batch.data(), batch.size(), until > now ? until - now : 0, &arrived, error);
    now = now_ns();
    for (std::uint32_t i = 0; i < arrived; ++i)
      completed(batch[i], now);
    while (*count < capacity && !held_.empty() && held_.begin()->first <= now) {
      completions[*count] = held_.begin()->second;
      operations_.erase(completions[*count].operation);
      held_.erase(held_.begin());
      ++*count;
    }
    if (status != DUET_OK) return status;
    // Nothing came and it is not time yet: the inner transport has something to say about a connection.
    if (*count > 0 || now >= end || (arrived == 0 && now < until) || capacity == 0) return DUET_OK;
  }
}

duet_status FaultyContext::cancel(FaultyConnection& connection, std::uint64_t id) {
  const auto found = operations_.find(id);
  if (found == operations_.end() || found->second.connection.get() != &connection) return DUET_MISUSE;
  if (!found->second.held) return connection.broken ? DUET_OK : inner_.cancel(connection.inner, id);
  for (auto it = held_.begin(); it != held_.end(); ++it) {
    if (it->second.operation != id) continue;
    const std::uint64_t now = now_ns();
    if (it->first > now) {
      held_.erase(it);
      held_.emplace(now, duet_completion{id, DUET_CANCELLED, 0, 0});
    }
    break;
  }
  return DUET_OK;
}

duet_status FaultyContext::arm(std::uint64_t* timeout_ns) {
  if (!held_.empty()) {
    const std::uint64_t now = now_ns();
    if (held_.begin()->first <= now) return DUET_AGAIN;
    *timeout_ns = std::min(*timeout_ns, held_.begin()->first - now);
  }
  return inner_.arm(context_, timeout_ns);
}

void FaultyContext::last_error(const FaultyConnection& connection, duet_error* error) const {
  if (!connection.last_error.empty()) {
    set_error(error, connection.broken ? DUET_PEER_LOST : DUET_TIMED_OUT, connection.last_error);
  } else if (inner_.last_error != nullptr) {
    inner_.last_error(connection.inner, error);
  } else {
    set_error(error, DUET_OK, "");
  }
}

}  // namespace duet::transport
