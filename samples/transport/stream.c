#include "stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* What one call moves at most: a busy connection must not keep the others waiting. */
#define MOST_PER_TURN (UINT64_C(4) << 20)

/* Both greetings are there: messages may flow. */
static void greeted(duet_connection* connection) {
  if (connection->state != DUET_CONNECTION_PENDING ||
      connection->greeting_sent < sizeof(connection->my_greeting) ||
      connection->greeting_received < sizeof(connection->peer_greeting)) {
    return;
  }
  if (connection->peer_greeting.magic != GREETING_MAGIC ||
      connection->peer_greeting.session != connection->session) {
    connection_fail(connection, DUET_PEER_LOST, 0, "it speaks another language, or of another session");
    return;
  }
  connection->state = DUET_CONNECTION_READY;
  connection->context->state_changed = 1;
}

static void broken_off(duet_connection* connection, int system_error) {
  const int closed = system_error == 0 || system_error == EPIPE || system_error == ECONNRESET;
  connection_fail(connection, DUET_PEER_LOST, closed ? 0 : system_error,
                  closed ? "closed the connection, or died" : "the socket failed");
}

static void too_long(duet_connection* connection, const struct operation* receive) {
  char what[120];
  snprintf(what, sizeof(what), "a message of %" PRIu64 " bytes met a receive of %" PRIu64,
           connection->header.bytes, receive->bytes);
  connection_fail(connection, DUET_MISUSE, 0, what);
}

/* Where the next bytes belong; 0 with *bytes left alone: there is no place for them yet. */
static int next_place(duet_connection* connection, void** place, uint64_t* bytes) {
  if (connection->greeting_received < sizeof(connection->peer_greeting)) {
    *place = (char*)&connection->peer_greeting + connection->greeting_received;
    *bytes = sizeof(connection->peer_greeting) - connection->greeting_received;
    return 1;
  }
  if (connection->header_received < sizeof(connection->header)) {
    *place = (char*)&connection->header + connection->header_received;
    *bytes = sizeof(connection->header) - connection->header_received;
    return 1;
  }
  struct operation* const receive = connection->receives.first;
  if (receive == NULL) return 0;
  if (connection->header.bytes > receive->bytes) {
    too_long(connection, receive);
    return 0;
  }
  *bytes = connection->header.bytes - connection->received;
  *place = *bytes == 0 ? NULL : receive->data + connection->received;
  return 1;
}

static void took(duet_connection* connection, uint64_t bytes) {
  if (connection->greeting_received < sizeof(connection->peer_greeting)) {
    connection->greeting_received += (size_t)bytes;
    greeted(connection);
    return;
  }
  if (connection->header_received < sizeof(connection->header)) {
    connection->header_received += (size_t)bytes;
    return;
  }
  connection->received += bytes;
  if (connection->received == connection->header.bytes) {
    connection_complete(connection, &connection->receives, connection->received);
    connection->header_received = 0;
    connection->received = 0;
  }
}

void stream_read(duet_connection* connection) {
  void* place = NULL;
  uint64_t bytes = 0;
  for (uint64_t moved = 0; moved < MOST_PER_TURN && connection->state != DUET_CONNECTION_FAILED;) {
    if (!next_place(connection, &place, &bytes)) return;
    if (bytes > MOST_PER_TURN) bytes = MOST_PER_TURN;
    const ssize_t got = bytes == 0 ? 0 : recv(connection->watched.socket, place, (size_t)bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0 || (got == 0 && bytes > 0)) {
      broken_off(connection, got < 0 ? errno : 0);
      return;
    }
    took(connection, (uint64_t)got);
    moved += (uint64_t)got;
  }
}

/* One attempt to send what is left of the greeting, or of the first send's header and payload. */
static ssize_t send_some(duet_connection* connection) {
  struct iovec pieces[2];
  struct msghdr message;
  memset(&message, 0, sizeof(message));
  message.msg_iov = pieces;
  struct header header;
  if (connection->greeting_sent < sizeof(connection->my_greeting)) {
    pieces[0].iov_base = (char*)&connection->my_greeting + connection->greeting_sent;
    pieces[0].iov_len = sizeof(connection->my_greeting) - connection->greeting_sent;
    message.msg_iovlen = 1;
  } else {
    const struct operation* const send = connection->sends.first;
    uint64_t payload_sent = 0;
    header.bytes = send->bytes;
    if (connection->sent < sizeof(header)) {
      pieces[0].iov_base = (char*)&header + connection->sent;
      pieces[0].iov_len = sizeof(header) - (size_t)connection->sent;
      message.msg_iovlen = 1;
    } else {
      payload_sent = connection->sent - sizeof(header);
    }
    uint64_t payload = send->bytes - payload_sent;
    if (payload > MOST_PER_TURN) payload = MOST_PER_TURN;
    if (payload > 0) {
      pieces[message.msg_iovlen].iov_base = send->data + payload_sent;
      pieces[message.msg_iovlen].iov_len = (size_t)payload;
      ++message.msg_iovlen;
    }
  }
  /* Without MSG_NOSIGNAL a peer that is gone would end this process by SIGPIPE. */
  return sendmsg(connection->watched.socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void gave(duet_connection* connection, uint64_t bytes) {
  if (connection->greeting_sent < sizeof(connection->my_greeting)) {
    connection->greeting_sent += (size_t)bytes;
    greeted(connection);
    return;
  }
  connection->sent += bytes;
  const uint64_t payload = connection->sends.first->bytes;
  if (connection->sent == sizeof(struct header) + payload) {
    connection_complete(connection, &connection->sends, payload);
    connection->sent = 0;
  }
}

static int wants_to_write(const duet_connection* connection) {
  return connection->greeting_sent < sizeof(connection->my_greeting) ||
         (connection->state == DUET_CONNECTION_READY && connection->sends.first != NULL);
}

void stream_write(duet_connection* connection) {
  for (uint64_t moved = 0; moved < MOST_PER_TURN && connection->state != DUET_CONNECTION_FAILED;) {
    if (!wants_to_write(connection)) return;
    const ssize_t gone = send_some(connection);
    if (gone < 0 && errno == EINTR) continue;
    if (gone < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (gone < 0) {
      broken_off(connection, errno);
      return;
    }
    gave(connection, (uint64_t)gone);
    moved += (uint64_t)gone;
  }
}

void stream_watch(duet_connection* connection) {
  if (connection->state == DUET_CONNECTION_FAILED || !connection->connected) return;
  uint32_t events = 0;
  if (connection->header_received < sizeof(connection->header) || connection->receives.first != NULL)
    events |= EPOLLIN;
  if (wants_to_write(connection)) events |= EPOLLOUT;
  if (events == 0 && connection->hung_up) {
    /* The peer is gone, and its last message waits for a receive. epoll would report the hang-up again and
     * again, and a host that sleeps on its descriptor would not sleep. The next post looks at the socket. */
    unwatch(connection->context->epoll, &connection->watched);
    return;
  }
  const int problem = watch(connection->context->epoll, &connection->watched, events);
  if (problem != 0) connection_fail(connection, DUET_BROKEN, problem, "epoll does not take its socket");
}
