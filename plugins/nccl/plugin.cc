/// The plugin's table: every slot checks what it is given and lets no exception out.
#include <cstddef>
#include <exception>
#include <new>
#include <string>

#include "context.h"
#include "failure.h"

namespace duet::nccl {
namespace {

template <typename Work>
duet_status guarded(duet_error* error, Work&& work) noexcept {
  try {
    write_error({}, error);
    return work();
  } catch (const FailureError& caught) {
    write_error(caught.failure(), error);
    return caught.failure().status;
  } catch (const std::exception& caught) {
    // No std::string here: the likeliest cause is that there is no memory.
    if (error != nullptr) {
      error->status = DUET_BROKEN;
      error->system_error = 0;
      std::size_t length = 0;
      for (const char* text = caught.what(); *text != '\0' && length + 1 < sizeof error->text; ++text)
        error->text[length++] = *text;
      error->text[length] = '\0';
    }
    return DUET_BROKEN;
  }
}

duet_status probe(const duet_setting* settings, std::uint32_t count, duet_probe_result* result) {
  constexpr std::size_t kNeeded = offsetof(duet_probe_result, reason) + sizeof result->reason;
  if (result == nullptr || result->struct_size < kNeeded) return DUET_MISUSE;
  result->viable = 0;
  result->capabilities = DUET_CAPABILITY_CUDA_MEMORY | DUET_CAPABILITY_EXACT_SIZE;
  result->largest_message = Context::kLargestMessage;
  duet_error error{};
  const duet_status status = guarded(&error, [&] {
    const Settings parsed = Settings::parse(settings, count);
    if (!parsed.loopback) result->capabilities |= DUET_CAPABILITY_REMOTE;
    if (parsed.integrity) result->capabilities |= DUET_CAPABILITY_INTEGRITY;
    const CudaDriver& driver = CudaDriver::load(parsed.cuda_library);
    const int device = parsed.device.value_or(driver.current_device());
    if (device >= driver.device_count()) {
      throw FailureError(DUET_NOT_SUPPORTED, "CUDA device " + std::to_string(device) +
                                                 " was asked for, but there are only " +
                                                 std::to_string(driver.device_count()));
    }
    const NcclLibrary& library = NcclLibrary::load(parsed.library);
    result->viable = 1;
    copy_text("NCCL " + library.version() + " on CUDA device " + std::to_string(device) + " (" +
                  driver.name(device) + "), meeting over " + parsed.interface,
              result->reason, sizeof result->reason);
    return DUET_OK;
  });
  if (status != DUET_OK) copy_text(error.text, result->reason, sizeof result->reason);
  // What is missing here is an answer; only a mistake in the settings is a failure.
  return status == DUET_MISUSE ? status : DUET_OK;
}

duet_status open_context(const duet_setting* settings, std::uint32_t count, duet_context** context,
                         duet_error* error) {
  return guarded(error, [&] {
    *context = nullptr;
    *context = new duet_context(Settings::parse(settings, count));
    return DUET_OK;
  });
}

void close_context(duet_context* context) {
  delete context;
}

duet_status get_address(duet_context* context, void* address, std::uint64_t* bytes) {
  return guarded(nullptr, [&] {
    const std::string blob = context->address();
    const std::uint64_t capacity = *bytes;
    *bytes = blob.size();
    if (capacity < blob.size()) return DUET_MISUSE;
    blob.copy(static_cast<char*>(address), blob.size());
    return DUET_OK;
  });
}

std::string name_of(const duet_connect_request& request) {
  return request.peer == nullptr ? "peer" : request.peer;
}

/// A host that was built before tickets were hands in a shorter request: none.
Ticket ticket_of(const duet_connect_request* request) {
  constexpr std::size_t kNeeded = offsetof(duet_connect_request, peer) + sizeof request->peer;
  constexpr std::size_t kWithTicket =
      offsetof(duet_connect_request, ticket_bytes) + sizeof request->ticket_bytes;
  if (request == nullptr || request->struct_size < kNeeded)
    throw FailureError(DUET_MISUSE, "nccl: a connect request without its struct_size");
  const bool has_ticket = request->struct_size >= kWithTicket;
  return Ticket::decode(has_ticket ? request->ticket : nullptr, has_ticket ? request->ticket_bytes : 0,
                        request->session, name_of(*request));
}

duet_status connect(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                    duet_error* error) {
  return guarded(error, [&] {
    *connection = nullptr;
    const Ticket ticket = ticket_of(request);
    if (request->address == nullptr)
      throw FailureError(DUET_MISUSE, name_of(*request) + ": NCCL: connect() needs the peer's address");
    *connection = context->connect(*request, ticket);
    return DUET_OK;
  });
}

duet_status accept(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                   duet_error* error) {
  return guarded(error, [&] {
    *connection = nullptr;
    *connection = context->accept(*request, ticket_of(request));
    return DUET_OK;
  });
}

std::int32_t connection_state(duet_connection* connection, duet_error* error) {
  const Link& link = connection->link;
  if (!link.failed()) {
    return link.phase() == Link::Phase::kReady ? DUET_CONNECTION_READY : DUET_CONNECTION_PENDING;
  }
  write_error(link.failure(), error);
  return DUET_CONNECTION_FAILED;
}

void close_connection(duet_connection* connection) {
  guarded(nullptr, [&] {
    connection->context.close(*connection);
    return DUET_OK;
  });
}

duet_status post(duet_connection* connection, const duet_memory* memory, std::uint64_t operation,
                 std::uint64_t deadline_ns, bool send, duet_error* error) {
  return guarded(error, [&] {
    if (memory == nullptr) throw FailureError(DUET_MISUSE, "nccl: a post without memory");
    Failure failure;
    const duet_status status =
        connection->context.post(*connection, *memory, operation, deadline_ns, send, failure);
    if (status != DUET_OK) write_error(failure, error);
    return status;
  });
}

duet_status post_send(duet_connection* connection, const duet_memory* memory, std::uint64_t operation,
                      std::uint64_t deadline_ns, duet_error* error) {
  return post(connection, memory, operation, deadline_ns, true, error);
}

duet_status post_receive(duet_connection* connection, const duet_memory* memory, std::uint64_t operation,
                         std::uint64_t deadline_ns, duet_error* error) {
  return post(connection, memory, operation, deadline_ns, false, error);
}

duet_status poll(duet_context* context, duet_completion* completions, std::uint32_t capacity,
                 std::uint64_t timeout_ns, std::uint32_t* count, duet_error* error) {
  *count = 0;
  return guarded(error, [&] {
    *count = context->poll({completions, capacity}, timeout_ns);
    return DUET_OK;
  });
}

duet_status cancel(duet_connection* connection, std::uint64_t operation) {
  return guarded(nullptr, [&] { return connection->context.cancel(*connection, operation); });
}

duet_status wait_descriptor(duet_context* context, std::int32_t* descriptor) {
  *descriptor = context->descriptor();
  return DUET_OK;
}

duet_status arm(duet_context* context, std::uint64_t* timeout_ns) {
  return guarded(nullptr, [&] { return context->arm(*timeout_ns) ? DUET_OK : DUET_AGAIN; });
}

void last_error(duet_connection* connection, duet_error* error) {
  write_error(connection->link.last_error().value_or(Failure{}), error);
}

duet_status make_ticket(duet_context* context, std::uint64_t session, void* ticket, std::uint64_t* bytes,
                        duet_error* error) {
  return guarded(error, [&] {
    const std::uint64_t capacity = *bytes;
    *bytes = Ticket::kBytes;
    if (capacity < Ticket::kBytes) throw FailureError(DUET_MISUSE, "nccl: no room for a ticket");
    const std::string made = context->make_ticket(session);
    made.copy(static_cast<char*>(ticket), made.size());
    return DUET_OK;
  });
}

const duet_transport kTable = [] {
  duet_transport table{};
  table.struct_size = sizeof table;
  table.abi_major = DUET_TRANSPORT_ABI_MAJOR;
  table.abi_minor = DUET_TRANSPORT_ABI_MINOR;
  table.name = "nccl";
  table.version = DUET_VERSION;
  table.probe = probe;
  table.open_context = open_context;
  table.close_context = close_context;
  table.get_address = get_address;
  table.connect = connect;
  table.accept = accept;
  table.connection_state = connection_state;
  table.close_connection = close_connection;
  table.post_send = post_send;
  table.post_receive = post_receive;
  table.poll = poll;
  table.cancel = cancel;
  table.wait_descriptor = wait_descriptor;
  table.arm = arm;
  table.last_error = last_error;
  table.make_ticket = make_ticket;
  return table;
}();

}  // namespace
}  // namespace duet::nccl

extern "C" DUET_PLUGIN_EXPORT const duet_transport* duet_transport_plugin(const duet_services* services,
                                                                          char* reason,
                                                                          uint64_t reason_bytes) {
  using duet::nccl::copy_text;
  if (services == nullptr || services->abi_major != DUET_TRANSPORT_ABI_MAJOR) {
    if (reason != nullptr && reason_bytes > 0) {
      copy_text(
          "this plugin speaks version " + std::to_string(DUET_TRANSPORT_ABI_MAJOR) + " of the transport ABI",
          reason, reason_bytes);
    }
    return nullptr;
  }
  if (!duet::nccl::Host::set_services(services)) {
    if (reason != nullptr && reason_bytes > 0)
      copy_text("the host offers no clock (duet_services::now_ns)", reason, reason_bytes);
    return nullptr;
  }
  return &duet::nccl::kTable;
}
