/* Duet transport plugin ABI, version 1 (C11, also valid C++).
 *
 * A transport moves the blocks of a meeting between two workers. It is a shared object that exports one
 * symbol, duet_transport_plugin(), and is loaded at run time. Nothing but fixed-width integers, plain
 * structs, opaque handles and explicit lengths crosses this boundary: no exceptions, no C++ types, no
 * ownership by convention. docs/transport-abi.md is the specification, sentence by sentence, and
 * duet-plugin-check holds a plugin to it; samples/transport is a complete plugin.
 *
 * Model
 *   - A *context* is one worker's endpoint. A process may open many. The host calls a context from one thread
 * at a time (in Duet: the worker's communication thread), different contexts from different threads at once.
 *   - A *connection* joins two contexts and carries two ordered streams of messages, one in each direction.
 * The k-th receive posted on one side takes the k-th send posted on the other. Message boundaries are kept.
 *     Posting order between send and receive does not matter. Both sides name the connection with the same
 *     64-bit *session*, agreed upon by the host on its control channel. A host gives one context a session at
 * most once, whichever the peer: a new connection has a new session, and nothing that belonged to an old one
 * may ever appear on it.
 *   - An *operation* is one send or one receive. It completes exactly once, always: delivered, failed, past
 * its deadline, cancelled, or because its connection or context was closed. It is *in flight*, and its buffer
 * lent to the plugin, from a successful post until that completion is returned by poll(), and never after. A
 * connection takes at least 8 operations in flight in each direction. A send that completes
 * with DUET_OK has given its buffer back; whether the peer has the data only the peer can say, and closing
 * the connection may lose data that the peer has not received yet. A message of 0 bytes (data may then be
 * null) is a message like any other. A receive that is longer than its message completes with the message's
 * bytes (unless the transport says DUET_CAPABILITY_EXACT_SIZE), one that is shorter with DUET_MISUSE.
 *   - Once an operation of a connection has ended with anything but DUET_OK, the order of its streams is
 * undefined: the host closes the connection. The plugin need not fail the connection by itself.
 *   - No call blocks, except poll() for at most the time that it is given, and close_context(), which may
 * take up to one second to let go of the operating system's resources.
 *   - Time: every deadline is nanoseconds on the host's monotonic clock, services->now_ns(). An operation
 * whose deadline has passed completes within 100 ms, as long as the host polls: with DUET_TIMED_OUT, or with
 * DUET_OK when it was done before the plugin noticed. 0 means: no deadline of its own (it then ends with its
 * connection). A timeout is a duration in nanoseconds; UINT64_MAX: no limit, so that now + timeout must not
 * overflow.
 *   - Errors: every function returns a duet_status. When it is neither DUET_OK nor DUET_AGAIN, *error (where
 * there is one) holds the same status and a text that names what the plugin knows: peer address, provider,
 * operating system error; with those two it may be left alone. The host adds local rank, peer rank, transport
 * and epoch.
 *   - Pointers: results (error, context, connection, count, bytes, …) are never null; settings and
 * completions may be where their count or capacity is 0. What a call is given is
 * valid during the call, and copied by who needs it for longer; the memory of an operation is lent, as said.
 *
 * Versions: same major = compatible. Minor versions add optional slots at the tails of the two tables, fields
 * at the tails of the structs that begin with struct_size, capability flags and optional settings; nothing
 * else ever changes within a major version. struct_size is its owner's: the plugin's in duet_transport, the
 * host's in all others. A slot or field counts only if it lies within it, and a slot only if it is not null:
 * DUET_HAS_FIELD() tells. A host of 1.x always fills the three services of 1.0. Across majors these alone
 * keep their form and meaning: the entry point's name and signature, null with a reason for "declined", and
 * the four fields at the heads of the two tables. With them each side turns the other down.
 */
#ifndef DUET_PLUGIN_TRANSPORT_H_
#define DUET_PLUGIN_TRANSPORT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DUET_TRANSPORT_ABI_MAJOR 1u
#define DUET_TRANSPORT_ABI_MINOR 0u

#if defined(_WIN32)
#define DUET_PLUGIN_EXPORT __declspec(dllexport)
#else
#define DUET_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

/* Whether the struct at p, of that type, reaches beyond a field (of a table: a slot; look for null, too). */
#define DUET_HAS_FIELD(p, type, field) ((p)->struct_size >= offsetof(type, field) + sizeof((p)->field))

/* What a call came to, or an operation ended with. */
typedef int32_t duet_status;
enum {
  DUET_OK = 0,
  DUET_AGAIN = 1,     /* nothing wrong: not now, call again after poll() (post: no room; arm: poll first) */
  DUET_TIMED_OUT = 2, /* the operation's deadline passed */
  DUET_CANCELLED = 3, /* the operation was cancelled, or its connection was closed by this side */
  DUET_PEER_LOST = 4, /* the peer closed, died or cannot be reached; close the connection */
  DUET_MISUSE = 5,    /* the host broke this contract: a mistake in the host */
  DUET_BROKEN = 6,    /* the context is unusable; close it (of connect, accept, open: what was asked for could
                         not be made, nothing else is harmed) */
  DUET_DEVICE_ERROR = 7, /* the accelerator reported an error */
  DUET_NOT_SUPPORTED = 8 /* this transport does not do that */
};

/* Filled by the plugin on failure. The host owns the struct; text is always terminated. */
typedef struct duet_error {
  duet_status status;
  int32_t system_error; /* errno, libfabric or NCCL code; 0: none */
  char text[240];
} duet_error;

enum { DUET_MEMORY_HOST = 0, DUET_MEMORY_CUDA = 1 };

/* A piece of memory. stream: the device stream in whose order the memory becomes valid or free; null on the
 * host. */
typedef struct duet_memory {
  void* data;
  uint64_t bytes;
  int32_t kind;   /* DUET_MEMORY_* */
  int32_t device; /* its index; on the host without meaning */
  void* stream;
  void* registration; /* from register_memory(), or null */
} duet_memory;

enum { DUET_LOG_DEBUG = 0, DUET_LOG_INFO = 1, DUET_LOG_WARNING = 2, DUET_LOG_ERROR = 3 };

/* What the host offers to the plugin. Valid until the process ends. All functions are thread-safe. */
typedef struct duet_services {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  void (*log)(int32_t level, const char* text);
  uint64_t (*now_ns)(void);                            /* monotonic; origin unspecified */
  void (*count)(const char* name, uint64_t increment); /* a named counter that the host exports */
} duet_services;

/* Flags of duet_probe_result.capabilities. (An enum, so that debug information, and with it the check of this
 * ABI, knows them; C11 has no enumerators beyond bit 30.) */
enum {
  DUET_CAPABILITY_HOST_MEMORY = 1u << 0,
  DUET_CAPABILITY_CUDA_MEMORY = 1u << 1,
  DUET_CAPABILITY_NEEDS_REGISTRATION = 1u << 2,
  DUET_CAPABILITY_INTEGRITY = 1u << 3,  /* data arrive unaltered or not at all: the host may skip checksums */
  DUET_CAPABILITY_EXACT_SIZE = 1u << 4, /* a receive must be posted with exactly the bytes of its send */
  DUET_CAPABILITY_REMOTE = 1u << 5,     /* reaches other machines */
  DUET_CAPABILITY_EXPERIMENTAL = 1u << 6
};

/* All zero when it is handed to probe(), but for struct_size. */
typedef struct duet_probe_result {
  uint32_t struct_size; /* set by the host */
  int32_t viable;       /* 1: open_context() is expected to work here */
  uint64_t capabilities;
  uint64_t largest_message; /* bytes, 2^21 or more; 0: unlimited. A longer send is refused with DUET_MISUSE */
  char reason[240];         /* for a human: why not viable, or what would be used ("tcp over eth0") */
} duet_probe_result;

/* key = value settings for probe() and open_context(), valid during the call: "provider", "interface",
 * "port_range", … A plugin refuses (DUET_MISUSE, and names it) a key that it does not know. */
typedef struct duet_setting {
  const char* key;
  const char* value;
} duet_setting;

typedef struct duet_context duet_context;       /* defined by the plugin */
typedef struct duet_connection duet_connection; /* defined by the plugin */

typedef struct duet_connect_request {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t session;    /* same on both sides; given to one context at most once */
  const void* address; /* connect(): the peer's address blob; accept(): null */
  uint64_t address_bytes;
  uint64_t deadline_ns; /* not ready by then: the connection fails with DUET_TIMED_OUT; 0: none */
  const char* peer;     /* a name for messages, e.g. "rank 3": never null, at most 63 bytes */
  const void* ticket;   /* what make_ticket() of the accepting side gave for this session; null: none */
  uint64_t ticket_bytes;
} duet_connect_request;

enum { DUET_CONNECTION_PENDING = 0, DUET_CONNECTION_READY = 1, DUET_CONNECTION_FAILED = 2 };

typedef struct duet_completion {
  uint64_t operation; /* the id that the host gave to the post */
  duet_status status; /* DUET_OK, or why it failed */
  int32_t reserved;
  uint64_t bytes; /* received or sent; meaningful with DUET_OK */
} duet_completion;

/* The plugin's table. Slots marked optional may be null. */
typedef struct duet_transport {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  const char* name;    /* "libfabric" */
  const char* version; /* the plugin's own */

  /* Could open_context() work here with these settings? May be called often, at any time: no side effects
   * that outlast the call. Not viable is an answer, not a failure: DUET_OK. With anything else (DUET_MISUSE:
   * a setting) result->reason says why. */
  duet_status (*probe)(const duet_setting* settings, uint32_t count, duet_probe_result* result);

  duet_status (*open_context)(const duet_setting* settings, uint32_t count, duet_context** context,
                              duet_error* error);

  /* Ends every operation and connection that is left (their handles are then invalid); peers see
   * DUET_PEER_LOST as with close_connection(). Completions not yet polled are gone with the context: when
   * this returns, no buffer is lent any more. Must not be called while another call on the context runs. */
  void (*close_context)(duet_context* context);

  /* This context's address, for connect() on the other side: opaque, at most 512 bytes. *bytes: in capacity,
   * out length (also with DUET_MISUSE, when the capacity was too small). */
  duet_status (*get_address)(duet_context* context, void* address, uint64_t* bytes);

  /* Both return at once; the connection is PENDING until connection_state() says otherwise. One side
   * connects, the other accepts, in any order: a connect that arrives before its accept waits for it (until
   * its deadline). Operations may be posted while PENDING. A connection that cannot come about becomes
   * FAILED; a call that can be seen to be hopeless (a malformed address, a peer known to be gone) may also be
   * refused: *error says why, and there is no connection. */
  duet_status (*connect)(duet_context* context, const duet_connect_request* request,
                         duet_connection** connection, duet_error* error);
  duet_status (*accept)(duet_context* context, const duet_connect_request* request,
                        duet_connection** connection, duet_error* error);
  /* DUET_CONNECTION_*; with FAILED, *error says why. A failed connection has ended, or ends at the next
   * poll(), all its operations, with the status of its failure, and refuses new ones with it. It must still
   * be closed. */
  int32_t (*connection_state)(duet_connection* connection, duet_error* error);
  /* Returns at once. Operations in flight complete (DUET_CANCELLED) through later poll() calls; their buffers
   * stay lent until then. The handle is invalid when this returns. Closing one side makes the other's
   * operations fail with DUET_PEER_LOST (or run into their deadlines, if the transport cannot see it). */
  void (*close_connection)(duet_connection* connection);

  /* Optional, both or none: pin memory for the network. null when the transport needs none. */
  duet_status (*register_memory)(duet_context* context, const duet_memory* memory, void** registration,
                                 duet_error* error);
  void (*unregister_memory)(duet_context* context, void* registration);

  /* operation: chosen by the host, unique within the context while in flight, given back in the completion.
   * DUET_OK: accepted, exactly one completion will follow. Anything else: not accepted, no completion,
   * nothing lent. DUET_AGAIN: no room (8 in flight in that direction always have it). */
  duet_status (*post_send)(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                           uint64_t deadline_ns, duet_error* error);
  duet_status (*post_receive)(duet_connection* connection, const duet_memory* memory, uint64_t operation,
                              uint64_t deadline_ns, duet_error* error);

  /* Makes progress and returns up to `capacity` completions (0: none), sleeping for at most timeout_ns until
   * there is one. 0: do not sleep. It returns early, with *count == 0, when a connection became READY or
   * FAILED, and may do so at any time. Returns DUET_OK (also with *count == 0) or DUET_BROKEN. */
  duet_status (*poll)(duet_context* context, duet_completion* completions, uint32_t capacity,
                      uint64_t timeout_ns, uint32_t* count, duet_error* error);

  /* Asks for this operation, and nothing else, to end early. DUET_OK: its completion will follow: CANCELLED,
   * or what it was before if it had ended already and was not polled. DUET_AGAIN: cannot be ended now, and
   * goes on: the buffer stays lent until its completion. DUET_MISUSE: not in flight on this connection. */
  duet_status (*cancel)(duet_connection* connection, uint64_t operation);

  /* Optional, both or none: a file descriptor that becomes readable when poll() may have something to do, so
   * that one thread can sleep on this and on other things. Before each sleep the host calls arm(): DUET_OK:
   * sleep on the descriptor, for at most *timeout_ns, which the plugin lowers to its own next deadline and
   * never raises; DUET_AGAIN: poll() first. */
  duet_status (*wait_descriptor)(duet_context* context, int32_t* descriptor);
  duet_status (*arm)(duet_context* context, uint64_t* timeout_ns);

  /* Optional: the last failure on this connection (of an operation that completed with an error);
   * error->status is DUET_OK when there was none. */
  void (*last_error)(duet_connection* connection, duet_error* error);

  /* Optional: what the accepting side must tell the connecting one before a connection can come about, such
   * as a unique id that both have to know. The host calls it on the side that will accept(), at most once for
   * a session, and carries the bytes (at most 256) over its control channel; both requests then hold them. A
   * session whose accept() never comes is forgotten with the context. *bytes: in capacity, out length.
   * Returns at once. */
  duet_status (*make_ticket)(duet_context* context, uint64_t session, void* ticket, uint64_t* bytes,
                             duet_error* error);
} duet_transport;

/* The one exported symbol. Called once per process (and, where two copies of the host are loaded, once by
 * each, at any time), before any other call of that host. Returns the plugin's table (static, valid until the
 * process ends), or null after writing a reason of at most reason_bytes - 1 characters and a zero: to a host
 * of another major version, or without a service that the plugin needs. */
typedef const duet_transport* (*duet_transport_plugin_function)(const duet_services* services, char* reason,
                                                                uint64_t reason_bytes);
#define DUET_TRANSPORT_PLUGIN_SYMBOL "duet_transport_plugin"
DUET_PLUGIN_EXPORT const duet_transport* duet_transport_plugin(const duet_services* services, char* reason,
                                                               uint64_t reason_bytes);

#ifdef __cplusplus
}
#endif

#endif /* DUET_PLUGIN_TRANSPORT_H_ */
