/* The least that is a transport plugin: it loads, says who it is and why nobody can use it here, and keeps
 * the contract when it is used all the same. */
#include <duet/plugin/transport.h>
#include <stdio.h>
#include <string.h>

static const char kNoPigeons[] = "no pigeons: this machine has no loft";

static duet_status refuse(duet_error* error) {
  memset(error, 0, sizeof(*error));
  error->status = DUET_NOT_SUPPORTED;
  snprintf(error->text, sizeof(error->text), "%s", kNoPigeons);
  return DUET_NOT_SUPPORTED;
}

static duet_status probe(const duet_setting* settings, uint32_t count, duet_probe_result* result) {
  result->viable = 0;
  result->capabilities = DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_EXPERIMENTAL;
  result->largest_message = 0;
  if (count > 0) {
    snprintf(result->reason, sizeof(result->reason), "there is no setting \"%s\"", settings[0].key);
    return DUET_MISUSE;
  }
  snprintf(result->reason, sizeof(result->reason), "%s", kNoPigeons);
  return DUET_OK;
}

static duet_status open_context(const duet_setting* settings, uint32_t count, duet_context** context,
                                duet_error* error) {
  (void)settings;
  (void)count;
  *context = NULL;
  return refuse(error);
}

/* There never is a context, so the rest is never called; a table without these slots would be refused. */
static void close_context(duet_context* context) {
  (void)context;
}
static duet_status get_address(duet_context* context, void* address, uint64_t* bytes) {
  (void)context;
  (void)address;
  *bytes = 0;
  return DUET_NOT_SUPPORTED;
}
static duet_status join(duet_context* context, const duet_connect_request* request,
                        duet_connection** connection, duet_error* error) {
  (void)context;
  (void)request;
  *connection = NULL;
  return refuse(error);
}
static int32_t connection_state(duet_connection* connection, duet_error* error) {
  (void)connection;
  refuse(error);
  return DUET_CONNECTION_FAILED;
}
static void close_connection(duet_connection* connection) {
  (void)connection;
}
static duet_status post(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                        uint64_t deadline_ns, duet_error* error) {
  (void)connection;
  (void)memory;
  (void)operation;
  (void)deadline_ns;
  return refuse(error);
}
static duet_status poll_context(duet_context* context, duet_completion* completions, uint32_t capacity,
                                uint64_t timeout_ns, uint32_t* count, duet_error* error) {
  (void)context;
  (void)completions;
  (void)capacity;
  (void)timeout_ns;
  *count = 0;
  refuse(error);
  return DUET_BROKEN;
}
static duet_status cancel(duet_connection* connection, uint64_t operation) {
  (void)connection;
  (void)operation;
  return DUET_MISUSE;
}

const duet_transport* duet_transport_plugin(const duet_services* services, char* reason,
                                            uint64_t reason_bytes) {
  static const duet_transport table = {
      .struct_size = sizeof(duet_transport),
      .abi_major = DUET_TRANSPORT_ABI_MAJOR,
      .abi_minor = DUET_TRANSPORT_ABI_MINOR,
      .name = "pigeon",
      .version = "0.1",
      .probe = probe,
      .open_context = open_context,
      .close_context = close_context,
      .get_address = get_address,
      .connect = join,
      .accept = join,
      .connection_state = connection_state,
      .close_connection = close_connection,
      .post_send = post,
      .post_receive = post,
      .poll = poll_context,
      .cancel = cancel,
  };
  if (services->abi_major != DUET_TRANSPORT_ABI_MAJOR) {
    snprintf(reason, reason_bytes, "speaks version %u of the plugin ABI, the host %u",
             DUET_TRANSPORT_ABI_MAJOR, services->abi_major);
    return NULL;
  }
  return &table;
}
