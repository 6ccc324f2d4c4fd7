/* The smallest plugin that loads, in plain C, and every way in which one can be wrong: built once per
 * VARIANT. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "duet/plugin/transport.h"

#define GOOD 0
#define WRONG_MAJOR 1
#define TRUNCATED 2
#define HEADLESS 3
#define NULL_SLOT 4
#define HALF_PAIR 5
#define NO_SYMBOL 6
#define DECLINES 7
#define DECLINES_SILENTLY 8
#define MISNAMED 9
#define NOT_VIABLE 10
#define NEWER 11
#define OLDER 12
#define UNRESOLVED 13
#define NO_ADDRESS 14
#define BREAKS 15
#define ENDLESS_REASON 16
#define THROWS_IN_ENTRY 17
#define THROWS_IN_PROBE 18
#define CRASHES_IN_PROBE 19
#define TOO_OLD 20
#define DEVICE_ONLY 21
#define THROWS_IN_REGISTER 22
#define TAKES_SIGNALS 23

/* throws.cc: a C++ exception, which must not leave a plugin. */
#if VARIANT == THROWS_IN_ENTRY || VARIANT == THROWS_IN_PROBE || VARIANT == THROWS_IN_REGISTER
extern void throw_an_exception(void);
#else
#define throw_an_exception() ((void)0)
#endif

static duet_status probe(const duet_setting* settings, uint32_t count, duet_probe_result* result) {
  (void)settings;
  (void)count;
  if (VARIANT == CRASHES_IN_PROBE) abort();
  if (VARIANT == TAKES_SIGNALS) signal(SIGTERM, exit);
  if (VARIANT == THROWS_IN_PROBE) throw_an_exception();
  result->viable = VARIANT != NOT_VIABLE;
  result->capabilities = VARIANT == DEVICE_ONLY ? DUET_CAPABILITY_CUDA_MEMORY
                                                : DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_EXPERIMENTAL;
  strcpy(result->reason, VARIANT == NOT_VIABLE ? "no such hardware" : "nothing at all");
  return DUET_OK;
}
static int the_context;
static duet_status open_context(const duet_setting* settings, uint32_t count, duet_context** context,
                                duet_error* error) {
  (void)settings;
  (void)count;
  (void)error;
  *context = (duet_context*)&the_context;
  return DUET_OK;
}
static void close_context(duet_context* context) {
  (void)context;
}
static duet_status get_address(duet_context* context, void* address, uint64_t* bytes) {
  (void)context;
  if (VARIANT == NO_ADDRESS) return DUET_BROKEN;
  memcpy(address, "tiny", 4);
  *bytes = 4;
  return DUET_OK;
}
static duet_status connect(duet_context* context, const duet_connect_request* request,
                           duet_connection** connection, duet_error* error) {
  (void)context;
  (void)request;
  (void)connection;
  error->status = DUET_NOT_SUPPORTED;
  strcpy(error->text, "a tiny plugin connects nobody");
  return DUET_NOT_SUPPORTED;
}
static int32_t connection_state(duet_connection* connection, duet_error* error) {
  (void)connection;
  (void)error;
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
  (void)error;
  return DUET_PEER_LOST;
}
static duet_status poll(duet_context* context, duet_completion* completions, uint32_t capacity,
                        uint64_t timeout_ns, uint32_t* count, duet_error* error) {
  (void)context;
  (void)completions;
  (void)capacity;
  (void)timeout_ns;
  *count = 0;
  if (VARIANT != BREAKS) return DUET_OK;
  error->system_error = 5;
  strcpy(error->text, "the cable is out");
  return DUET_BROKEN;
}
static duet_status cancel(duet_connection* connection, uint64_t operation) {
  (void)connection;
  (void)operation;
  return DUET_MISUSE;
}
static duet_status wait_descriptor(duet_context* context, int32_t* descriptor) {
  (void)context;
  *descriptor = -1;
  return DUET_OK;
}

static duet_status register_memory(duet_context* context, const duet_memory* memory, void** registration,
                                   duet_error* error) {
  (void)context;
  (void)memory;
  (void)registration;
  (void)error;
  throw_an_exception();
  return DUET_OK;
}
static void unregister_memory(duet_context* context, void* registration) {
  (void)context;
  (void)registration;
}

/* A later minor version's table: ours, and a slot that this host has never heard of. */
static struct {
  duet_transport known;
  void (*later)(void);
} table;

#if VARIANT == UNRESOLVED
extern void no_library_has_this_function(void);
#endif
#if VARIANT == NO_SYMBOL
#define ENTRY another_name
#else
#define ENTRY duet_transport_plugin
#endif

DUET_PLUGIN_EXPORT const duet_transport* ENTRY(const duet_services* services, char* reason,
                                               uint64_t reason_bytes);
DUET_PLUGIN_EXPORT const duet_transport* ENTRY(const duet_services* services, char* reason,
                                               uint64_t reason_bytes) {
  duet_transport* const known = &table.known;
  services->count("tiny_entries", 1);
  services->log(DUET_LOG_DEBUG, "a tiny plugin was loaded");
  if (VARIANT == THROWS_IN_ENTRY) throw_an_exception();
  if (VARIANT == DECLINES && reason_bytes > 16) strcpy(reason, "wrong moon phase");
  if (VARIANT == ENDLESS_REASON) memset(reason, 'x', reason_bytes);
  if (VARIANT == DECLINES || VARIANT == DECLINES_SILENTLY || VARIANT == ENDLESS_REASON) return NULL;
#if VARIANT == UNRESOLVED
  no_library_has_this_function();
#endif
  known->struct_size = sizeof(*known);
  known->abi_major = VARIANT == WRONG_MAJOR ? DUET_TRANSPORT_ABI_MAJOR + 1 : DUET_TRANSPORT_ABI_MAJOR;
  known->abi_minor = DUET_TRANSPORT_ABI_MINOR;
  if (VARIANT == TOO_OLD) {
    known->abi_major = 0;
    known->abi_minor = 9;
  }
  known->name = VARIANT == MISNAMED ? "giant" : "tiny";
  known->version = "0.7";
  known->probe = probe;
  known->open_context = open_context;
  known->close_context = close_context;
  known->get_address = get_address;
  known->connect = connect;
  known->accept = connect;
  known->connection_state = connection_state;
  known->close_connection = close_connection;
  known->post_send = post;
  known->post_receive = post;
  known->poll = VARIANT == NULL_SLOT ? NULL : poll;
  known->cancel = cancel;
  if (VARIANT == THROWS_IN_REGISTER) {
    known->register_memory = register_memory;
    known->unregister_memory = unregister_memory;
  }
  if (VARIANT == TRUNCATED) known->struct_size = offsetof(duet_transport, connect);
  if (VARIANT == HEADLESS) known->struct_size = 8;
  if (VARIANT == HALF_PAIR) known->wait_descriptor = wait_descriptor;
  if (VARIANT == NEWER) {
    known->abi_minor = 7;
    known->struct_size = sizeof(table);
  }
  if (VARIANT == OLDER) {
    /* What lies beyond the table's end is not the table's. */
    known->struct_size = offsetof(duet_transport, wait_descriptor);
    memset((char*)known + offsetof(duet_transport, wait_descriptor), 0x5a,
           sizeof(*known) - offsetof(duet_transport, wait_descriptor));
  }
  return known;
}
