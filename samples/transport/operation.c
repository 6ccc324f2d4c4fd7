#include "operation.h"

#include <stddef.h>

void queue_init(struct queue* queue) {
  queue->first = NULL;
  queue->end = &queue->first;
  queue->length = 0;
}

void queue_append(struct queue* queue, struct operation* operation) {
  operation->next = NULL;
  *queue->end = operation;
  queue->end = &operation->next;
  ++queue->length;
}

struct operation* queue_remove(struct queue* queue, struct operation** link) {
  struct operation* const operation = *link;
  *link = operation->next;
  if (queue->end == &operation->next) queue->end = link;
  --queue->length;
  return operation;
}
