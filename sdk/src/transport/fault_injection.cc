#include "transport/fault_injection.h"

#include <array>
#include <mutex>
#include <utility>

#include "support/log.h"
#include "transport/faulty_context.h"

namespace duet::transport {
namespace {

// ------------------------------------------------------------------------------------------------------

FaultyContext* mine(duet_context* context) {
  return reinterpret_cast<FaultyContext*>(context);
}
FaultyConnection* mine(duet_connection* connection) {
  return reinterpret_cast<FaultyConnection*>(connection);
}

/// One decorated transport. probe() and open_context() get no handle by which to tell what they decorate, so
/// there is a fixed number of pairs of these functions, one for each slot.
struct Slot {
  std::shared_ptr<const Transport> inner;  // null: free
  Faults faults;
  duet_transport table{};
  std::weak_ptr<const Transport> outer;
};

constexpr std::size_t kSlots = 32;

struct Slots {
  std::mutex mutex;  // for taking and returning a slot; a taken one does not change
  std::array<Slot, kSlots> all;
};

/// Never destroyed: a transport may be let go by a thread that outlives main().
Slots& slots() {
  static Slots* const instance = new Slots;
  return *instance;
}

template <std::size_t kSlot>
duet_status probe(const duet_setting* settings, uint32_t count, duet_probe_result* result) {
  const Slot& slot = slots().all[kSlot];
  const duet_status status = slot.inner->table().probe(settings, count, result);
  if (slot.faults.corrupt > 0.0) result->capabilities &= ~static_cast<uint64_t>(DUET_CAPABILITY_INTEGRITY);
  return status;
}

template <std::size_t kSlot>
duet_status open_context(const duet_setting* settings, uint32_t count, duet_context** context,
                         duet_error* error) {
  const Slot& slot = slots().all[kSlot];
  duet_context* inner = nullptr;
  const duet_status status = slot.inner->table().open_context(settings, count, &inner, error);
  if (status != DUET_OK) return status;
  *context = reinterpret_cast<duet_context*>(new FaultyContext(slot.inner->table(), slot.faults, inner));
  return DUET_OK;
}

void close_context(duet_context* context) {
  delete mine(context);
}

duet_status get_address(duet_context* context, void* address, uint64_t* bytes) {
  return mine(context)->inner().get_address(mine(context)->inner_context(), address, bytes);
}

duet_status open_connection(bool accept, duet_context* context, const duet_connect_request* request,
                            duet_connection** connection, duet_error* error) {
  FaultyConnection* made = nullptr;
  const duet_status status = mine(context)->open(accept, *request, &made, error);
  *connection = reinterpret_cast<duet_connection*>(made);
  return status;
}

duet_status connect(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                    duet_error* error) {
  return open_connection(false, context, request, connection, error);
}

duet_status accept(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                   duet_error* error) {
  return open_connection(true, context, request, connection, error);
}

int32_t connection_state(duet_connection* connection, duet_error* error) {
  return mine(connection)->context->state(*mine(connection), error);
}

void close_connection(duet_connection* connection) {
  mine(connection)->context->close(mine(connection));
}

duet_status register_memory(duet_context* context, const duet_memory* memory, void** registration,
                            duet_error* error) {
  return mine(context)->inner().register_memory(mine(context)->inner_context(), memory, registration, error);
}

void unregister_memory(duet_context* context, void* registration) {
  mine(context)->inner().unregister_memory(mine(context)->inner_context(), registration);
}

duet_status post_send(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                      uint64_t deadline_ns, duet_error* error) {
  return mine(connection)->context->send(*mine(connection), memory, operation, deadline_ns, error);
}

duet_status post_receive(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                         uint64_t deadline_ns, duet_error* error) {
  return mine(connection)->context->receive(*mine(connection), memory, operation, deadline_ns, error);
}

duet_status poll(duet_context* context, duet_completion* completions, uint32_t capacity, uint64_t timeout_ns,
                 uint32_t* count, duet_error* error) {
  *count = 0;
  return mine(context)->poll(completions, capacity, timeout_ns, count, error);
}

duet_status cancel(duet_connection* connection, uint64_t operation) {
  return mine(connection)->context->cancel(*mine(connection), operation);
}

duet_status wait_descriptor(duet_context* context, int32_t* descriptor) {
  return mine(context)->inner().wait_descriptor(mine(context)->inner_context(), descriptor);
}

duet_status arm(duet_context* context, uint64_t* timeout_ns) {
  return mine(context)->arm(timeout_ns);
}

duet_status make_ticket(duet_context* context, uint64_t session, void* ticket, uint64_t* bytes,
                        duet_error* error) {
  return mine(context)->inner().make_ticket(mine(context)->inner_context(), session, ticket, bytes, error);
}

void last_error(duet_connection* connection, duet_error* error) {
  mine(connection)->context->last_error(*mine(connection), error);
}

using Probe = decltype(duet_transport::probe);
using OpenContext = decltype(duet_transport::open_context);

template <std::size_t... kIndex>
constexpr std::array<std::pair<Probe, OpenContext>, kSlots> entry_points(std::index_sequence<kIndex...>) {
  return {{{probe<kIndex>, open_context<kIndex>}...}};
}

duet_transport table_for(const duet_transport& inner, std::size_t slot) {
  static constexpr auto kEntryPoints = entry_points(std::make_index_sequence<kSlots>());
  duet_transport table = inner;  // name, version, ABI
  table.struct_size = sizeof(table);
  table.probe = kEntryPoints[slot].first;
  table.open_context = kEntryPoints[slot].second;
  table.close_context = close_context;
  table.get_address = get_address;
  table.connect = connect;
  table.accept = accept;
  table.connection_state = connection_state;
  table.close_connection = close_connection;
  table.register_memory = inner.register_memory == nullptr ? nullptr : register_memory;
  table.unregister_memory = inner.unregister_memory == nullptr ? nullptr : unregister_memory;
  table.post_send = post_send;
  table.post_receive = post_receive;
  table.poll = poll;
  table.cancel = cancel;
  table.wait_descriptor = inner.wait_descriptor == nullptr ? nullptr : wait_descriptor;
  table.arm = inner.arm == nullptr ? nullptr : arm;
  table.last_error = last_error;
  table.make_ticket = inner.make_ticket == nullptr ? nullptr : make_ticket;
  return table;
}

}  // namespace

std::shared_ptr<const Transport> inject_faults(std::shared_ptr<const Transport> inner, const Faults& faults) {
  Slots& all = slots();
  const std::lock_guard lock(all.mutex);
  for (Slot& slot : all.all) {
    if (slot.inner == nullptr || &slot.inner->table() != &inner->table() || slot.faults != faults) continue;
    if (auto outer = slot.outer.lock()) return outer;
  }
  for (std::size_t i = 0; i < kSlots; ++i) {
    Slot& slot = all.all[i];
    if (slot.inner != nullptr) continue;
    std::shared_ptr<const Transport> outer(new Transport(&slot.table, inner->path()),
                                           [&all, &slot](auto* transport) {
                                             delete transport;
                                             // Let go outside the lock: the inner transport may be a
                                             // decorated one too.
                                             std::shared_ptr<const Transport> last;
                                             const std::lock_guard returning(all.mutex);
                                             last.swap(slot.inner);
                                           });
    slot.inner = std::move(inner);
    slot.faults = faults;
    slot.table = table_for(slot.inner->table(), i);
    slot.outer = outer;
    return outer;
  }
  throw TransportError(fmt::format(
      "{} transports with injected faults are in use in this process already: let one go first", kSlots));
}

}  // namespace duet::transport
