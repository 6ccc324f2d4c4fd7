/* Those who have connected to our listener and do not belong to a connection yet: strangers, who have still
 * to say which session they want, and early ones, whose session was not accepted yet. Both are bounded in
 * number, and strangers in time, because anybody on this machine can connect. */
#ifndef DUET_SAMPLE_VISITOR_H_
#define DUET_SAMPLE_VISITOR_H_

#include "context.h"
#include "wire.h"

struct visitor {
  struct watched watched; /* first, see watch.h */
  struct visitor* next;   /* who came before */
  struct greeting greeting;
  size_t received;   /* of the greeting */
  uint64_t until_ns; /* a stranger is shown the door then */
};

/* Lets in whoever waits at the listener. */
void visitors_admit(duet_context* context);
/* A visitor's socket has something to say. The visitor may be gone after this. */
void visitor_event(duet_context* context, struct visitor* visitor, uint32_t events);
/* The socket of the one who wants that session, or -1. */
int visitors_take(duet_context* context, uint64_t session);
/* Shows out strangers who have been silent for too long. Returns when to look again, or NEVER. */
uint64_t visitors_expire(duet_context* context, uint64_t now_ns);
void visitors_close(duet_context* context);

#endif
