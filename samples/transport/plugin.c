/* The plugin's table and its entry point. Each slot checks what it is given and hands over to the part that
 * does the work. Read this first, then context.h, connection.h and stream.h. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "context.h"
#include "duet/plugin/transport.h"
#include "failure.h"
#include "host.h"
#include "settings.h"
#include "socket.h"

static duet_status unix_probe(const duet_setting* given, uint32_t count, duet_probe_result* result) {
  struct settings settings;
  duet_error error = {.status = DUET_OK};
  if (!DUET_HAS_FIELD(result, duet_probe_result, reason)) return DUET_MISUSE;
  result->capabilities = DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_INTEGRITY;
  result->largest_message = 0;
  result->viable = parse_settings(given, count, &settings, &error) == DUET_OK;
  copy_text(result->reason, sizeof(result->reason),
            result->viable ? "UNIX-domain sockets: workers of one user on one machine" : error.text);
  return error.status;
}

static duet_status unix_open_context(const duet_setting* given, uint32_t count, duet_context** context,
                                     duet_error* error) {
  struct settings settings;
  const duet_status status = parse_settings(given, count, &settings, error);
  return status == DUET_OK ? context_open(&settings, context, error) : status;
}

static duet_status unix_get_address(duet_context* context, void* address, uint64_t* bytes) {
  const uint64_t capacity = *bytes;
  *bytes = socket_address(context->name, address, (size_t)capacity);
  return *bytes <= capacity ? DUET_OK : DUET_MISUSE;
}

static duet_status unix_connect(duet_context* context, const duet_connect_request* request,
                                duet_connection** connection, duet_error* error) {
  if (!DUET_HAS_FIELD(request, duet_connect_request, peer))
    return fail(error, DUET_MISUSE, 0, "unix: a request without its struct_size");
  return connection_connect(context, request, connection, error);
}

static duet_status unix_accept(duet_context* context, const duet_connect_request* request,
                               duet_connection** connection, duet_error* error) {
  if (!DUET_HAS_FIELD(request, duet_connect_request, peer))
    return fail(error, DUET_MISUSE, 0, "unix: a request without its struct_size");
  return connection_accept(context, request, connection, error);
}

static int32_t unix_connection_state(duet_connection* connection, duet_error* error) {
  if (error != NULL) *error = connection->failure;
  return connection->state;
}

static duet_status unix_post_send(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                                  uint64_t deadline_ns, duet_error* error) {
  return connection_post(connection, 1, memory, operation, deadline_ns, error);
}

static duet_status unix_post_receive(duet_connection* connection, const duet_memory* memory,
                                     uint64_t operation, uint64_t deadline_ns, duet_error* error) {
  return connection_post(connection, 0, memory, operation, deadline_ns, error);
}

static duet_status unix_wait_descriptor(duet_context* context, int32_t* descriptor) {
  *descriptor = context->epoll;
  return DUET_OK;
}

static void unix_last_error(duet_connection* connection, duet_error* error) {
  *error = connection->last;
}

/* What is not named is null: this transport registers no memory and needs no ticket. */
static const duet_transport table = {
    .struct_size = sizeof(duet_transport),
    .abi_major = DUET_TRANSPORT_ABI_MAJOR,
    .abi_minor = DUET_TRANSPORT_ABI_MINOR,
    .name = "unix",
    .version = "1.0",
    .probe = unix_probe,
    .open_context = unix_open_context,
    .close_context = context_close,
    .get_address = unix_get_address,
    .connect = unix_connect,
    .accept = unix_accept,
    .connection_state = unix_connection_state,
    .close_connection = connection_close,
    .post_send = unix_post_send,
    .post_receive = unix_post_receive,
    .poll = context_poll,
    .cancel = connection_cancel,
    .wait_descriptor = unix_wait_descriptor,
    .arm = context_arm,
    .last_error = unix_last_error,
};

const duet_transport* duet_transport_plugin(const duet_services* services, char* reason,
                                            uint64_t reason_bytes) {
  if (services->abi_major != DUET_TRANSPORT_ABI_MAJOR) {
    copy_text(reason, reason_bytes, "unix was built for another major version of the plugin ABI");
    return NULL;
  }
  if (!host_adopt(services)) {
    copy_text(reason, reason_bytes, "unix needs the host's log, clock and counters");
    return NULL;
  }
  return &table;
}
