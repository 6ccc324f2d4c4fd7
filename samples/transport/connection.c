#include "connection.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "failure.h"
#include "host.h"
#include "stream.h"
#include "visitor.h"

/* Operations in one direction of a connection; the host is told to come again. */
#define MOST_QUEUED 1024u
/* When the listener's queue is full, connect() does not wait, and nothing tells us when to try again. */
#define CONNECT_AGAIN_NS UINT64_C(5000000)

static duet_connection* connection_new(duet_context* context, const duet_connect_request* request,
                                       int accepting) {
  duet_connection* const made = calloc(1, sizeof(*made));
  if (made == NULL) return NULL;
  made->watched.kind = WATCHED_CONNECTION;
  made->watched.socket = -1;
  made->context = context;
  made->session = request->session;
  copy_text(made->peer, sizeof(made->peer), request->peer == NULL ? "the peer" : request->peer);
  made->accepting = accepting;
  made->state = DUET_CONNECTION_PENDING;
  made->deadline_ns = request->deadline_ns;
  queue_init(&made->sends);
  queue_init(&made->receives);
  made->my_greeting = (struct greeting){.magic = GREETING_MAGIC, .session = request->session};
  made->next = context->connections;
  made->link = &context->connections;
  if (made->next != NULL) made->next->link = &made->next;
  context->connections = made;
  if (made->deadline_ns != 0) context_wake_at(context, made->deadline_ns);
  return made;
}

static void connection_free(duet_connection* connection) {
  *connection->link = connection->next;
  if (connection->next != NULL) connection->next->link = connection->link;
  watched_close(&connection->watched);
  free(connection);
}

/* The socket has somebody at its other end. */
static void connection_established(duet_connection* connection) {
  connection->connected = 1;
  if (!socket_peer_is_same_user(connection->watched.socket)) {
    connection_fail(connection, DUET_PEER_LOST, 0, "its socket belongs to another user");
    return;
  }
  connection_advance(connection);
}

duet_status connection_connect(duet_context* context, const duet_connect_request* request,
                               duet_connection** connection, duet_error* error) {
  const char* const peer = request->peer == NULL ? "the peer" : request->peer;
  char name[SOCKET_NAME_CAPACITY];
  if (!socket_parse(request->address, request->address_bytes, name))
    return fail(error, DUET_MISUSE, 0, "%s: this is not an address of the unix transport", peer);
  const int socket = socket_open(context->settings.socket_buffer);
  if (socket < 0) return fail(error, DUET_BROKEN, errno, "%s: no socket", peer);
  const int problem = socket_connect(socket, name);
  if (problem != 0 && problem != EAGAIN) {
    close(socket);
    return fail(error, DUET_PEER_LOST, problem, "%s: nobody listens at @%s on this machine", peer, name);
  }
  duet_connection* const made = connection_new(context, request, 0);
  if (made == NULL) {
    close(socket);
    return fail(error, DUET_BROKEN, ENOMEM, "%s", peer);
  }
  made->watched.socket = socket;
  if (problem == 0) {
    connection_established(made);
  } else {
    memcpy(made->name, name, sizeof(name));
    context_wake_at(context, host_now() + CONNECT_AGAIN_NS);
  }
  *connection = made;
  return DUET_OK;
}

duet_status connection_accept(duet_context* context, const duet_connect_request* request,
                              duet_connection** connection, duet_error* error) {
  duet_connection* const made = connection_new(context, request, 1);
  if (made == NULL)
    return fail(error, DUET_BROKEN, ENOMEM, "%s", request->peer == NULL ? "the peer" : request->peer);
  const int socket = visitors_take(context, request->session);
  if (socket >= 0) connection_adopt(made, socket);
  *connection = made;
  return DUET_OK;
}

void connection_adopt(duet_connection* connection, int socket) {
  connection->watched.socket = socket;
  connection->peer_greeting = connection->my_greeting;
  connection->greeting_received = sizeof(connection->peer_greeting);
  connection_established(connection);
}

duet_status connection_post(duet_connection* connection, int is_send, const duet_memory* memory,
                            uint64_t operation, uint64_t deadline_ns, duet_error* error) {
  if (connection->state == DUET_CONNECTION_FAILED) {
    if (error != NULL) *error = connection->failure;
    return connection->failure.status;
  }
  if (memory->kind != DUET_MEMORY_HOST)
    return fail(error, DUET_NOT_SUPPORTED, 0, "%s: the unix transport moves host memory", connection->peer);
  if (memory->data == NULL && memory->bytes > 0)
    return fail(error, DUET_MISUSE, 0, "%s: an operation without memory", connection->peer);
  struct queue* const queue = is_send ? &connection->sends : &connection->receives;
  struct operation* made = NULL;
  if (queue->length < MOST_QUEUED) made = calloc(1, sizeof(*made));
  if (made == NULL)
    return fail(error, DUET_AGAIN, 0, "%s: %" PRIu32 " operations wait already", connection->peer,
                queue->length);
  made->connection = connection;
  made->id = operation;
  made->deadline_ns = deadline_ns;
  made->data = memory->data;
  made->bytes = memory->bytes;
  queue_append(queue, made);
  if (deadline_ns != 0) context_wake_at(connection->context, deadline_ns);
  /* At once, if it is the next: what cannot be done now waits for the socket. */
  if (queue->first == made) connection_advance(connection);
  return DUET_OK;
}

static void end(struct queue* queue, struct operation** link, duet_status status, uint64_t bytes) {
  struct operation* const ended = queue_remove(queue, link);
  ended->status = status;
  ended->bytes = bytes;
  queue_append(&ended->connection->context->done, ended);
}

void connection_complete(duet_connection* connection, struct queue* queue, uint64_t bytes) {
  (void)connection;
  end(queue, &queue->first, DUET_OK, bytes);
}

/* Whether a part of the operation is on the socket, so that it cannot be taken out of its stream any more. */
static int has_begun(const duet_connection* connection, const struct operation* operation) {
  if (operation == connection->sends.first) return connection->sent > 0;
  if (operation == connection->receives.first) return connection->received > 0;
  return 0;
}

static struct operation** find(struct queue* queue, uint64_t id) {
  struct operation** link = &queue->first;
  while (*link != NULL && (*link)->id != id)
    link = &(*link)->next;
  return *link == NULL ? NULL : link;
}

duet_status connection_cancel(duet_connection* connection, uint64_t operation) {
  for (int is_send = 0; is_send <= 1; ++is_send) {
    struct queue* const queue = is_send ? &connection->sends : &connection->receives;
    struct operation** const link = find(queue, operation);
    if (link == NULL) continue;
    if (has_begun(connection, *link)) return DUET_AGAIN;
    end(queue, link, DUET_CANCELLED, 0);
    stream_watch(connection);
    return DUET_OK;
  }
  /* It may have ended without the host knowing: its completion follows. */
  struct operation** const link = find(&connection->context->done, operation);
  return link != NULL && (*link)->connection == connection ? DUET_OK : DUET_MISUSE;
}

void connection_advance(duet_connection* connection) {
  if (connection->state == DUET_CONNECTION_FAILED || !connection->connected) return;
  stream_read(connection);
  stream_write(connection);
  stream_watch(connection);
}

void connection_event(duet_connection* connection, uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) connection->hung_up = 1;
  connection_advance(connection);
}

/* Ends what is past its deadline in one queue. Returns the earliest deadline that is left. */
static uint64_t expire_queue(duet_connection* connection, struct queue* queue, uint64_t now_ns) {
  uint64_t next = NEVER;
  for (struct operation** link = &queue->first; *link != NULL;) {
    struct operation* const operation = *link;
    if (operation->deadline_ns == 0 || operation->deadline_ns > now_ns) {
      if (operation->deadline_ns != 0 && operation->deadline_ns < next) next = operation->deadline_ns;
      link = &operation->next;
    } else if (has_begun(connection, operation)) {
      /* Half of it is on the wire. The only way to get its buffer back is to end the stream. */
      connection_fail(connection, DUET_TIMED_OUT, 0, "a message was on its way when its deadline passed");
      return NEVER;
    } else {
      fail(&connection->last, DUET_TIMED_OUT, 0,
           "%s: a %s of %" PRIu64 " bytes had no counterpart by its deadline", connection->peer,
           queue == &connection->sends ? "send" : "receive", operation->bytes);
      end(queue, link, DUET_TIMED_OUT, 0);
    }
  }
  return next;
}

/* Another attempt for a connect() that found the listener's queue full. */
static void connect_again(duet_connection* connection) {
  const int problem = socket_connect(connection->watched.socket, connection->name);
  if (problem == 0) {
    connection_established(connection);
  } else if (problem != EAGAIN) {
    connection_fail(connection, DUET_PEER_LOST, problem, "nobody listens there any more");
  }
}

uint64_t connection_expire(duet_connection* connection, uint64_t now_ns) {
  uint64_t next = NEVER;
  if (connection->state == DUET_CONNECTION_PENDING) {
    if (connection->deadline_ns != 0 && now_ns >= connection->deadline_ns) {
      connection_fail(
          connection, DUET_TIMED_OUT, 0,
          connection->accepting ? "did not connect by the deadline" : "did not accept by the deadline");
      return NEVER;
    }
    if (connection->deadline_ns != 0) next = connection->deadline_ns;
    if (!connection->accepting && !connection->connected) {
      connect_again(connection);
      if (!connection->connected && now_ns + CONNECT_AGAIN_NS < next) next = now_ns + CONNECT_AGAIN_NS;
    }
  }
  for (int is_send = 0; is_send <= 1; ++is_send) {
    struct queue* const queue = is_send ? &connection->sends : &connection->receives;
    const uint64_t earliest = expire_queue(connection, queue, now_ns);
    if (earliest < next) next = earliest;
  }
  if (connection->state == DUET_CONNECTION_FAILED) return NEVER;
  stream_watch(connection);
  return next;
}

/* All operations of a connection end. */
static void end_all(duet_connection* connection, duet_status status) {
  while (connection->sends.first != NULL)
    end(&connection->sends, &connection->sends.first, status, 0);
  while (connection->receives.first != NULL)
    end(&connection->receives, &connection->receives.first, status, 0);
}

void connection_fail(duet_connection* connection, duet_status status, int system_error, const char* what) {
  if (connection->state == DUET_CONNECTION_FAILED) return;
  /* First the socket: from here on nobody touches a buffer. */
  watched_close(&connection->watched);
  connection->state = DUET_CONNECTION_FAILED;
  fail(&connection->failure, status, system_error, "%s: %s", connection->peer, what);
  connection->last = connection->failure;
  connection->context->state_changed = 1;
  end_all(connection, status);
  host_count("unix_connections_failed");
}

void connection_close(duet_connection* connection) {
  watched_close(&connection->watched);
  end_all(connection, DUET_CANCELLED);
  for (struct operation* ended = connection->context->done.first; ended != NULL; ended = ended->next) {
    if (ended->connection == connection) ended->connection = NULL;
  }
  connection_free(connection);
}
