#include "visitor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "host.h"

#define MOST_VISITORS 512u
#define STRANGER_NS (UINT64_C(10) * 1000000000u)
/* How many are let in by one poll(). */
#define MOST_AT_ONCE 64
/* Without descriptors left, how long the listener is not looked at. */
#define PAUSE_NS UINT64_C(100000000)

static int is_stranger(const struct visitor* visitor) {
  return visitor->received < sizeof(visitor->greeting);
}

/* Takes the visitor out of the list. */
static void forget(duet_context* context, struct visitor* visitor) {
  struct visitor** link = &context->visitors;
  while (*link != visitor)
    link = &(*link)->next;
  *link = visitor->next;
  --context->visitor_count;
  free(visitor);
}

static void show_out(duet_context* context, struct visitor* visitor) {
  watched_close(&visitor->watched);
  forget(context, visitor);
  host_count("unix_visitors_refused");
}

/* The one of this session who came last, other than `but`. */
static struct visitor* find_early(duet_context* context, uint64_t session, const struct visitor* but) {
  for (struct visitor* each = context->visitors; each != NULL; each = each->next) {
    if (each != but && !is_stranger(each) && each->greeting.session == session) return each;
  }
  return NULL;
}

/* Makes room by showing out the stranger who has been silent for longest. Early ones may stay: they have said
 * what they want, and their own deadline ends their waiting. */
static int make_room(duet_context* context) {
  if (context->visitor_count < MOST_VISITORS) return 1;
  struct visitor* oldest = NULL;
  for (struct visitor* each = context->visitors; each != NULL; each = each->next) {
    if (is_stranger(each)) oldest = each;
  }
  if (oldest == NULL) return 0;
  show_out(context, oldest);
  return 1;
}

/* The greeting is complete: to the connection that waits for it, or to the waiting room. */
static void welcome(duet_context* context, struct visitor* visitor) {
  if (visitor->greeting.magic != GREETING_MAGIC ||
      find_early(context, visitor->greeting.session, visitor) != NULL) {
    show_out(context, visitor);
    return;
  }
  for (duet_connection* each = context->connections; each != NULL; each = each->next) {
    if (each->accepting && !each->connected && each->state == DUET_CONNECTION_PENDING &&
        each->session == visitor->greeting.session) {
      unwatch(context->epoll, &visitor->watched);
      const int socket = visitor->watched.socket;
      forget(context, visitor);
      connection_adopt(each, socket);
      return;
    }
  }
  /* Nothing to read before the session is accepted; epoll still reports when the visitor leaves. */
  if (watch(context->epoll, &visitor->watched, EPOLLRDHUP) != 0) show_out(context, visitor);
}

static void listen_to(duet_context* context, struct visitor* visitor) {
  while (is_stranger(visitor)) {
    const ssize_t got = recv(visitor->watched.socket, (char*)&visitor->greeting + visitor->received,
                             sizeof(visitor->greeting) - visitor->received, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      show_out(context, visitor);
      return;
    }
    visitor->received += (size_t)got;
  }
  welcome(context, visitor);
}

static void let_in(duet_context* context, int socket) {
  struct visitor* visitor = NULL;
  if (socket_peer_is_same_user(socket) && make_room(context)) visitor = calloc(1, sizeof(*visitor));
  if (visitor == NULL) {
    close(socket);
    host_count("unix_visitors_refused");
    return;
  }
  visitor->watched.kind = WATCHED_VISITOR;
  visitor->watched.socket = socket;
  visitor->until_ns = host_now() + STRANGER_NS;
  visitor->next = context->visitors;
  context->visitors = visitor;
  ++context->visitor_count;
  context_wake_at(context, visitor->until_ns);
  if (watch(context->epoll, &visitor->watched, EPOLLIN) != 0) {
    show_out(context, visitor);
    return;
  }
  listen_to(context, visitor);
}

void visitors_admit(duet_context* context) {
  for (int count = 0; count < MOST_AT_ONCE; ++count) {
    const int socket = socket_accept(context->listener.socket, context->settings.socket_buffer);
    if (socket >= 0) {
      context->listener_warned = 0;
      let_in(context, socket);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      /* They stay in the listener's queue, which would keep waking us up. */
      if (!context->listener_warned) host_warn("unix: no descriptor for somebody who connects; trying again");
      context->listener_warned = 1;
      unwatch(context->epoll, &context->listener);
      context->listen_again_ns = host_now() + PAUSE_NS;
      context_wake_at(context, context->listen_again_ns);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void visitor_event(duet_context* context, struct visitor* visitor, uint32_t events) {
  if (!is_stranger(visitor) && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    show_out(context, visitor);
    return;
  }
  if (is_stranger(visitor)) listen_to(context, visitor);
}

int visitors_take(duet_context* context, uint64_t session) {
  struct visitor* const found = find_early(context, session, NULL);
  if (found == NULL) return -1;
  unwatch(context->epoll, &found->watched);
  const int socket = found->watched.socket;
  forget(context, found);
  return socket;
}

uint64_t visitors_expire(duet_context* context, uint64_t now_ns) {
  uint64_t next = NEVER;
  for (struct visitor *each = context->visitors, *before = NULL; each != NULL; each = before) {
    before = each->next;
    if (!is_stranger(each)) continue;
    if (each->until_ns <= now_ns) {
      show_out(context, each);
    } else if (each->until_ns < next) {
      next = each->until_ns;
    }
  }
  return next;
}

void visitors_close(duet_context* context) {
  while (context->visitors != NULL)
    show_out(context, context->visitors);
}
