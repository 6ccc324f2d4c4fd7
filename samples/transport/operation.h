/* One send or receive from its post to its completion, and queues of them. The memory for the completion is
 * the operation's own: once posted, nothing can be missing that it would need to end. */
#ifndef DUET_SAMPLE_OPERATION_H_
#define DUET_SAMPLE_OPERATION_H_

#include "duet/plugin/transport.h"

struct operation {
  struct operation* next;
  duet_connection* connection; /* null once that was closed */
  uint64_t id;                 /* the host's */
  uint64_t deadline_ns;        /* 0: none */
  unsigned char* data;
  uint64_t bytes;     /* of data; once ended: moved */
  duet_status status; /* once ended */
};

/* First in, first out. */
struct queue {
  struct operation* first;
  struct operation** end; /* where the next one is hung in */
  uint32_t length;
};

void queue_init(struct queue* queue);
void queue_append(struct queue* queue, struct operation* operation);
/* *link points to it: &queue->first, or the `next` of the one before. */
struct operation* queue_remove(struct queue* queue, struct operation** link);

#endif
