/* One worker's endpoint: what duet_context is here. One thread at a time uses it and all that belongs to it,
 * as the ABI promises, so that there is no lock anywhere. Nothing happens between the host's calls. */
#ifndef DUET_SAMPLE_CONTEXT_H_
#define DUET_SAMPLE_CONTEXT_H_

#include "duet/plugin/transport.h"
#include "operation.h"
#include "settings.h"
#include "socket.h"
#include "watch.h"

#define NEVER UINT64_MAX

struct visitor;

struct duet_context {
  int epoll; /* also the descriptor that the host may sleep on */
  struct watched listener;
  uint64_t listen_again_ns; /* 0, or when to look at the listener again: we were out of descriptors */
  int listener_warned;      /* and have said so */
  char name[SOCKET_NAME_CAPACITY];
  struct settings settings;
  duet_connection* connections;
  struct visitor* visitors;
  uint32_t visitor_count;
  struct queue done; /* ended, not yet given to the host */
  int state_changed; /* a connection became ready or failed since the last poll() */
  uint64_t wake_ns;  /* no deadline is earlier than this */
};

duet_status context_open(const struct settings* settings, duet_context** context, duet_error* error);
void context_close(duet_context* context);

duet_status context_poll(duet_context* context, duet_completion* completions, uint32_t capacity,
                         uint64_t timeout_ns, uint32_t* count, duet_error* error);
duet_status context_arm(duet_context* context, uint64_t* timeout_ns);

/* Something has to be done at that time. */
void context_wake_at(duet_context* context, uint64_t when_ns);

#endif
