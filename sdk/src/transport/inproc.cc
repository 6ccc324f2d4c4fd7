#include "transport/inproc.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>

#include "transport/inproc_link.h"
#include "transport/services.h"

namespace duet::transport {
namespace {

using inproc::Failure;
using inproc::Link;
using inproc::Mailbox;
using inproc::Registry;

constexpr std::uint64_t kAddressMagic = 0x636f72706e69'7464;  // "dtinproc"
struct Address {
  std::uint64_t magic = kAddressMagic;
  std::uint64_t process = 0;
  std::uint64_t endpoint = 0;
};

void set_error(duet_error* error, duet_status status, const std::string& text, int system_error = 0) {
  if (error == nullptr) return;
  error->status = status;
  error->system_error = system_error;
  std::snprintf(error->text, sizeof(error->text), "%s", text.c_str());
}

duet_status refuse(duet_error* error, duet_status status, const std::string& text) {
  set_error(error, status, text);
  return status;
}

/// Runs `body` and turns whatever it throws (memory ran out) into a status: nothing unwinds through the C
/// table.
template <typename Body>
duet_status guarded(duet_error* error, Body body) noexcept {
  try {
    return body();
  } catch (const std::exception& exception) {
    if (error != nullptr) {
      error->status = DUET_BROKEN;
      error->system_error = 0;
      std::snprintf(error->text, sizeof(error->text), "inproc: %s", exception.what());
    }
    return DUET_BROKEN;
  }
}

class Context;

struct Connection {
  Context* context = nullptr;
  std::uint64_t serial = 0;
  std::uint64_t accepting_endpoint = 0;
  std::uint64_t session = 0;
  int end = 0;
  std::shared_ptr<Link> link;
  std::uint64_t deadline = 0;  // while pending; 0: none
};

/// One endpoint. Everything here belongs to the thread that calls the context; others reach its mailbox and
/// its links.
class Context {
 public:
  Context() : mailbox_(std::make_shared<Mailbox>()) {
    if (mailbox_->system_error() == 0) endpoint_ = Registry::instance().open();
  }
  ~Context() {
    while (!connections_.empty())
      close(connections_.begin()->second.get(), "closed its context");
    if (endpoint_ != 0) Registry::instance().close(endpoint_);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  int system_error() const { return mailbox_->system_error(); }
  int descriptor() const { return mailbox_->descriptor(); }
  Address address() const { return {kAddressMagic, Registry::instance().process(), endpoint_}; }

  duet_status connect(const duet_connect_request& request, Connection** connection, duet_error* error);
  duet_status accept(const duet_connect_request& request, Connection** connection, duet_error* error);
  void close(Connection* connection, std::string_view what);

  duet_status post(Connection& connection, bool send, const duet_memory* memory, std::uint64_t id,
                   std::uint64_t deadline, duet_error* error);
  duet_status cancel(Connection& connection, std::uint64_t id);
  std::uint32_t poll(duet_completion* completions, std::uint32_t capacity, std::uint64_t timeout_ns);
  duet_status arm(std::uint64_t* timeout_ns);

 private:
  struct Operation {
    std::shared_ptr<Link> link;
    int end = 0;
    std::uint64_t deadline = 0;
  };
  // Deadline, whether it is a connection's, and the operation's id or the connection's serial number. What
  // ended is taken out again, so the earliest entry is always one to wake up for.
  using Timer = std::tuple<std::uint64_t, bool, std::uint64_t>;

  duet_status join(const duet_connect_request& request, std::uint64_t accepting_endpoint, int end,
                   Connection** connection, duet_error* error);
  void expire(std::uint64_t now);
  void settle_pending();
  std::uint64_t next_timer() const { return timers_.empty() ? 0 : std::get<0>(*timers_.begin()); }

  std::shared_ptr<Mailbox> mailbox_;
  std::uint64_t endpoint_ = 0;
  std::uint64_t next_serial_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;  // by serial
  std::unordered_map<std::uint64_t, Operation> operations_;                     // by id
  std::set<Timer> timers_;
  std::deque<duet_completion> ready_;
};

duet_status Context::connect(const duet_connect_request& request, Connection** connection,
                             duet_error* error) {
  const std::string peer = request.peer == nullptr ? "peer" : request.peer;
  Address address;
  if (request.address != nullptr && request.address_bytes == sizeof(address)) {
    std::memcpy(&address, request.address, sizeof(address));
  } else {
    address.magic = 0;
  }
  if (address.magic != kAddressMagic) {
    return refuse(error, DUET_MISUSE, peer + ": the address is not one of the in-process transport");
  }
  if (address.process != Registry::instance().process()) {
    return refuse(
        error, DUET_PEER_LOST,
        peer + ": lives in another process, and the in-process transport joins workers of one process only");
  }
  return join(request, address.endpoint, 0, connection, error);
}

duet_status Context::accept(const duet_connect_request& request, Connection** connection, duet_error* error) {
  return join(request, endpoint_, 1, connection, error);
}

duet_status Context::join(const duet_connect_request& request, std::uint64_t accepting_endpoint, int end,
                          Connection** connection, duet_error* error) {
  auto made = std::make_unique<Connection>();
  Failure failure;
  made->link = Registry::instance().join(accepting_endpoint, request.session, end, mailbox_,
                                         request.peer == nullptr ? "peer" : request.peer, &failure);
  if (made->link == nullptr) return refuse(error, failure.status, failure.text);
  made->context = this;
  made->serial = next_serial_++;
  made->accepting_endpoint = accepting_endpoint;
  made->session = request.session;
  made->end = end;
  made->deadline = request.deadline_ns;
  if (made->deadline != 0) timers_.emplace(made->deadline, true, made->serial);
  *connection = made.get();
  connections_.emplace(made->serial, std::move(made));
  return DUET_OK;
}

void Context::close(Connection* connection, std::string_view what) {
  if (connection->deadline != 0) timers_.erase({connection->deadline, true, connection->serial});
  Registry::instance().leave(connection->accepting_endpoint, connection->session, connection->link,
                             connection->end, what);
  connections_.erase(connection->serial);
}

duet_status Context::post(Connection& connection, bool send, const duet_memory* memory, std::uint64_t id,
                          std::uint64_t deadline, duet_error* error) {
  if (memory == nullptr || (memory->data == nullptr && memory->bytes > 0)) {
    return refuse(error, DUET_MISUSE, "an operation without memory");
  }
  if (memory->kind != DUET_MEMORY_HOST) {
    return refuse(error, DUET_NOT_SUPPORTED, "the in-process transport moves host memory only");
  }
  const auto [found, fresh] =
      operations_.try_emplace(id, Operation{connection.link, connection.end, deadline});
  if (!fresh) return refuse(error, DUET_MISUSE, "operation " + std::to_string(id) + " is already in flight");
  if (deadline != 0) timers_.emplace(deadline, false, id);
  Failure failure;
  const duet_status status =
      connection.link->post(connection.end, send, {id, memory->data, memory->bytes}, &failure);
  if (status == DUET_OK) return DUET_OK;
  if (deadline != 0) timers_.erase({deadline, false, id});
  operations_.erase(found);
  return refuse(error, status, failure.text);
}

duet_status Context::cancel(Connection& connection, std::uint64_t id) {
  const auto found = operations_.find(id);
  if (found == operations_.end() || found->second.link != connection.link) return DUET_MISUSE;
  connection.link->end_early(connection.end, id, DUET_CANCELLED, "was cancelled");
  return DUET_OK;
}

void Context::expire(std::uint64_t now) {
  while (!timers_.empty() && next_timer() <= now) {
    const auto [deadline, is_connection, id] = *timers_.begin();
    timers_.erase(timers_.begin());
    if (is_connection) {
      Connection& connection = *connections_.at(id);
      connection.deadline = 0;
      Registry::instance().expire(
          connection.accepting_endpoint, connection.session, connection.link,
          connection.end == 0 ? "did not accept by the deadline" : "did not connect by the deadline");
    } else {
      Operation& operation = operations_.at(id);
      operation.deadline = 0;
      operation.link->end_early(operation.end, id, DUET_TIMED_OUT, "was not matched by the deadline");
    }
  }
}

/// Connections that are pending no longer need no deadline: nobody should wake up for it.
void Context::settle_pending() {
  for (auto& [serial, connection] : connections_) {
    Failure ignored;
    if (connection->deadline == 0 ||
        connection->link->state(connection->end, &ignored) == DUET_CONNECTION_PENDING) {
      continue;
    }
    timers_.erase({connection->deadline, true, serial});
    connection->deadline = 0;
  }
}

std::uint32_t Context::poll(duet_completion* completions, std::uint32_t capacity, std::uint64_t timeout_ns) {
  std::uint64_t now = now_ns();
  const std::uint64_t end = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
  while (true) {
    expire(now);
    const bool state_changed = mailbox_->take(ready_);
    if (state_changed) settle_pending();
    if (state_changed || !ready_.empty() || now >= end) break;
    if (mailbox_->arm()) {
      const std::uint64_t until = timers_.empty() ? end : std::min(end, next_timer());
      const std::uint64_t sleep = until > now ? until - now : 0;
      const timespec timeout{
          .tv_sec = static_cast<time_t>(std::min<std::uint64_t>(sleep / 1'000'000'000u, 86'400)),
          .tv_nsec = static_cast<long>(sleep % 1'000'000'000u)};
      pollfd descriptor{.fd = mailbox_->descriptor(), .events = POLLIN, .revents = 0};
      ::ppoll(&descriptor, 1, &timeout, nullptr);
    }
    now = now_ns();
  }
  std::uint32_t count = 0;
  for (; count < capacity && !ready_.empty(); ++count) {
    completions[count] = ready_.front();
    ready_.pop_front();
    const auto found = operations_.find(completions[count].operation);
    if (found == operations_.end()) continue;
    if (found->second.deadline != 0) timers_.erase({found->second.deadline, false, found->first});
    operations_.erase(found);
  }
  return count;
}

duet_status Context::arm(std::uint64_t* timeout_ns) {
  if (!ready_.empty()) return DUET_AGAIN;
  if (!timers_.empty()) {
    const std::uint64_t now = now_ns();
    if (next_timer() <= now) return DUET_AGAIN;
    *timeout_ns = std::min(*timeout_ns, next_timer() - now);
  }
  return mailbox_->arm() ? DUET_OK : DUET_AGAIN;
}

Context* mine(duet_context* context) {
  return reinterpret_cast<Context*>(context);
}
Connection* mine(duet_connection* connection) {
  return reinterpret_cast<Connection*>(connection);
}

std::string unknown_setting(const duet_setting& setting) {
  return std::string("the in-process transport has no setting \"") + setting.key + "\"";
}

duet_status probe(const duet_setting* settings, uint32_t count, duet_probe_result* result) {
  result->viable = count == 0 ? 1 : 0;
  result->capabilities = DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_INTEGRITY;
  result->largest_message = 0;
  return guarded(nullptr, [&] {
    std::snprintf(
        result->reason, sizeof(result->reason), "%s",
        count == 0 ? "workers that are threads of one process" : unknown_setting(settings[0]).c_str());
    return count == 0 ? DUET_OK : DUET_MISUSE;
  });
}

duet_status open_context(const duet_setting* settings, uint32_t count, duet_context** context,
                         duet_error* error) {
  return guarded(error, [&] {
    if (count > 0) return refuse(error, DUET_MISUSE, unknown_setting(settings[0]));
    auto made = std::make_unique<Context>();
    if (made->system_error() != 0) {
      set_error(error, DUET_BROKEN, std::string("eventfd: ") + std::strerror(made->system_error()),
                made->system_error());
      return static_cast<duet_status>(DUET_BROKEN);
    }
    *context = reinterpret_cast<duet_context*>(made.release());
    return static_cast<duet_status>(DUET_OK);
  });
}

void close_context(duet_context* context) {
  delete mine(context);
}

duet_status get_address(duet_context* context, void* address, uint64_t* bytes) {
  const Address blob = mine(context)->address();
  const std::uint64_t capacity = *bytes;
  *bytes = sizeof(blob);
  if (capacity < sizeof(blob)) return DUET_MISUSE;
  std::memcpy(address, &blob, sizeof(blob));
  return DUET_OK;
}

template <typename Make>
duet_status handed_out(duet_connection** connection, Make make) {
  Connection* made = nullptr;
  const duet_status status = make(&made);
  *connection = reinterpret_cast<duet_connection*>(made);
  return status;
}

duet_status connect(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                    duet_error* error) {
  return guarded(error, [&] {
    return handed_out(connection,
                      [&](Connection** made) { return mine(context)->connect(*request, made, error); });
  });
}

duet_status accept(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                   duet_error* error) {
  return guarded(error, [&] {
    return handed_out(connection,
                      [&](Connection** made) { return mine(context)->accept(*request, made, error); });
  });
}

int32_t connection_state(duet_connection* connection, duet_error* error) {
  int state = DUET_CONNECTION_FAILED;
  guarded(error, [&] {
    Failure failure;
    state = mine(connection)->link->state(mine(connection)->end, &failure);
    set_error(error, failure.status, failure.text);
    return failure.status;
  });
  return state;
}

void close_connection(duet_connection* connection) {
  Context* context = mine(connection)->context;
  context->close(mine(connection), "closed the connection");
}

duet_status post_send(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                      uint64_t deadline_ns, duet_error* error) {
  return guarded(error, [&] {
    return mine(connection)->context->post(*mine(connection), true, memory, operation, deadline_ns, error);
  });
}

duet_status post_receive(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                         uint64_t deadline_ns, duet_error* error) {
  return guarded(error, [&] {
    return mine(connection)->context->post(*mine(connection), false, memory, operation, deadline_ns, error);
  });
}

duet_status poll(duet_context* context, duet_completion* completions, uint32_t capacity, uint64_t timeout_ns,
                 uint32_t* count, duet_error* error) {
  *count = 0;
  return guarded(error, [&] {
    *count = mine(context)->poll(completions, capacity, timeout_ns);
    return DUET_OK;
  });
}

duet_status cancel(duet_connection* connection, uint64_t operation) {
  return guarded(nullptr, [&] { return mine(connection)->context->cancel(*mine(connection), operation); });
}

duet_status wait_descriptor(duet_context* context, int32_t* descriptor) {
  *descriptor = mine(context)->descriptor();
  return DUET_OK;
}

duet_status arm(duet_context* context, uint64_t* timeout_ns) {
  return mine(context)->arm(timeout_ns);
}

void last_error(duet_connection* connection, duet_error* error) {
  guarded(error, [&] {
    const Failure failure = mine(connection)->link->last_error(mine(connection)->end);
    set_error(error, failure.status, failure.text);
    return DUET_OK;
  });
}

}  // namespace

const duet_transport* inproc_transport() {
  static const duet_transport table{.struct_size = sizeof(duet_transport),
                                    .abi_major = DUET_TRANSPORT_ABI_MAJOR,
                                    .abi_minor = DUET_TRANSPORT_ABI_MINOR,
                                    .reserved = 0,
                                    .name = "inproc",
                                    .version = "1",
                                    .probe = probe,
                                    .open_context = open_context,
                                    .close_context = close_context,
                                    .get_address = get_address,
                                    .connect = connect,
                                    .accept = accept,
                                    .connection_state = connection_state,
                                    .close_connection = close_connection,
                                    .register_memory = nullptr,
                                    .unregister_memory = nullptr,
                                    .post_send = post_send,
                                    .post_receive = post_receive,
                                    .poll = poll,
                                    .cancel = cancel,
                                    .wait_descriptor = wait_descriptor,
                                    .arm = arm,
                                    .last_error = last_error,
                                    .make_ticket = nullptr};
  return &table;
}

}  // namespace duet::transport
