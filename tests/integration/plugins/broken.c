/* The sample transport with one promise broken, to see that the contract suite notices: built once per
 * VARIANT. The sample's own entry point is called wrapped_plugin here. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "duet/plugin/transport.h"

#define WHOLE 0
#define FORGETS_COMPLETIONS 1
#define COMPLETES_TWICE 2
#define LATE_OPERATIONS 3
#define LATE_CONNECTIONS 4
#define NAMELESS 5
#define ANY_SETTING 6
#define SPINS 7
#define LEAKS 8
#define WRITES_AFTERWARDS 9
#define CUTS 10
#define REFUSES_EMPTY 11
#define CRASHES 12
#define CLOSES_SLOWLY 13
#define ARMS_TOO_LONG 14
#define DESCRIPTOR_NEVER_QUIET 15
#define TAKES_ANY_MAJOR 16
#define IDS_ONCE_ONLY 17
#define LEAKS_IN_PROBE 18
#define MIXES_SESSIONS 19
#define OVERFILLS 20

#define MANY_IDS 4096
#define EXTRA_NS UINT64_C(400000000)

const duet_transport* wrapped_plugin(const duet_services* services, char* reason, uint64_t reason_bytes);

static const duet_transport* inner;
static duet_transport table;
static const duet_services* host;
static unsigned char ids_seen[MANY_IDS];
/* WRITES_AFTERWARDS: the memory of the last receive. */
static void* last_memory;
static int last_has_ended;

static duet_status probe(const duet_setting* settings, uint32_t count, duet_probe_result* result) {
  if (VARIANT == LEAKS_IN_PROBE && open("/dev/null", O_RDONLY) < 0) return DUET_BROKEN;
  return inner->probe(settings, VARIANT == ANY_SETTING ? 0 : count, result);
}

static duet_status open_context(const duet_setting* settings, uint32_t count, duet_context** context,
                                duet_error* error) {
  return inner->open_context(settings, VARIANT == ANY_SETTING ? 0 : count, context, error);
}

static void close_context(duet_context* context) {
  if (VARIANT == CLOSES_SLOWLY) sleep(4);
  inner->close_context(context);
}

static duet_connect_request changed(const duet_connect_request* request) {
  duet_connect_request mine = *request;
  if (VARIANT == LATE_CONNECTIONS && mine.deadline_ns != 0) mine.deadline_ns += EXTRA_NS;
  if (VARIANT == NAMELESS) mine.peer = "somebody";
  if (VARIANT == MIXES_SESSIONS) mine.session = 1;
  return mine;
}

static duet_status connect(duet_context* context, const duet_connect_request* request,
                           duet_connection** connection, duet_error* error) {
  const duet_connect_request mine = changed(request);
  return inner->connect(context, &mine, connection, error);
}

static duet_status accept(duet_context* context, const duet_connect_request* request,
                          duet_connection** connection, duet_error* error) {
  static void* volatile leaked;
  const duet_connect_request mine = changed(request);
  if (VARIANT == LEAKS) leaked = malloc(100);
  return inner->accept(context, &mine, connection, error);
}

static duet_status post(int is_send, duet_connection* connection, const duet_memory* memory,
                        uint64_t operation, uint64_t deadline_ns, duet_error* error) {
  duet_memory mine = *memory;
  if (VARIANT == LATE_OPERATIONS && deadline_ns != 0) deadline_ns += EXTRA_NS;
  if (VARIANT == CUTS && is_send && mine.bytes > 1u << 20) --mine.bytes;
  if (VARIANT == REFUSES_EMPTY && mine.bytes == 0) return DUET_MISUSE;
  if (VARIANT == IDS_ONCE_ONLY && ids_seen[(operation * 2 + (uint64_t)is_send) % MANY_IDS]++ > 0)
    return DUET_MISUSE;
  if (VARIANT == WRITES_AFTERWARDS && !is_send) {
    last_memory = mine.data;
    last_has_ended = 0;
  }
  return is_send ? inner->post_send(connection, &mine, operation, deadline_ns, error)
                 : inner->post_receive(connection, &mine, operation, deadline_ns, error);
}

static duet_status post_send(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                             uint64_t deadline_ns, duet_error* error) {
  return post(1, connection, memory, operation, deadline_ns, error);
}

static duet_status post_receive(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                                uint64_t deadline_ns, duet_error* error) {
  return post(0, connection, memory, operation, deadline_ns, error);
}

static duet_status poll(duet_context* context, duet_completion* completions, uint32_t capacity,
                        uint64_t timeout_ns, uint32_t* count, duet_error* error) {
  if (VARIANT == SPINS) {
    const uint64_t end = host->now_ns() + timeout_ns;
    do {
      const duet_status status = inner->poll(context, completions, capacity, 0, count, error);
      if (status != DUET_OK || *count > 0) return status;
    } while (host->now_ns() < end);
    return DUET_OK;
  }
  if (VARIANT == WRITES_AFTERWARDS && last_has_ended && last_memory != NULL) {
    *(unsigned char*)last_memory = 0xbd;
    last_memory = NULL;
  }
  const duet_status status = inner->poll(context, completions, VARIANT == OVERFILLS ? capacity + 4 : capacity,
                                         timeout_ns, count, error);
  for (uint32_t i = 0; i < *count; ++i) {
    if (completions[i].status == DUET_CANCELLED || completions[i].status == DUET_TIMED_OUT)
      last_has_ended = 1;
    if (VARIANT == FORGETS_COMPLETIONS && completions[i].status == DUET_CANCELLED)
      completions[i] = completions[--*count];
  }
  if (VARIANT == COMPLETES_TWICE && *count > 0 && *count < capacity) {
    completions[*count] = completions[*count - 1];
    ++*count;
  }
  return status;
}

static duet_status cancel(duet_connection* connection, uint64_t operation) {
  if (VARIANT == CRASHES) abort();
  return inner->cancel(connection, operation);
}

static duet_status wait_descriptor(duet_context* context, int32_t* descriptor) {
  if (VARIANT != DESCRIPTOR_NEVER_QUIET) return inner->wait_descriptor(context, descriptor);
  static int readable = -1;
  if (readable < 0) readable = eventfd(1, EFD_CLOEXEC);
  *descriptor = readable;
  return DUET_OK;
}

static duet_status arm(duet_context* context, uint64_t* timeout_ns) {
  const uint64_t asked = *timeout_ns;
  const duet_status status = inner->arm(context, timeout_ns);
  if (VARIANT == ARMS_TOO_LONG) *timeout_ns = asked;
  return status;
}

const duet_transport* duet_transport_plugin(const duet_services* services, char* reason,
                                            uint64_t reason_bytes) {
  duet_services mine = *services;
  static duet_services adopted;
  if (VARIANT == TAKES_ANY_MAJOR && mine.abi_major != DUET_TRANSPORT_ABI_MAJOR) {
    mine.abi_major = DUET_TRANSPORT_ABI_MAJOR;
    adopted = mine;
    services = &adopted;
  }
  inner = wrapped_plugin(services, reason, reason_bytes);
  if (inner == NULL) return NULL;
  host = services;
  table = *inner;
  table.probe = probe;
  table.open_context = open_context;
  table.close_context = close_context;
  table.connect = connect;
  table.accept = accept;
  table.post_send = post_send;
  table.post_receive = post_receive;
  table.poll = poll;
  table.cancel = cancel;
  table.wait_descriptor = wait_descriptor;
  table.arm = arm;
  return &table;
}
