#define _GNU_SOURCE /* ppoll() */
#include "context.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "failure.h"
#include "host.h"
#include "visitor.h"

#define EVENTS_AT_ONCE 64
#define LONGEST_SLEEP_NS (UINT64_C(3600) * 1000000000u)

duet_status context_open(const struct settings* settings, duet_context** context, duet_error* error) {
  duet_context* const made = calloc(1, sizeof(*made));
  if (made == NULL) return fail(error, DUET_BROKEN, ENOMEM, "unix: no context");
  made->settings = *settings;
  made->wake_ns = NEVER;
  queue_init(&made->done);
  made->listener.kind = WATCHED_LISTENER;
  made->listener.socket = socket_listen(made->name);
  const int no_listener = made->listener.socket < 0 ? errno : 0;
  made->epoll = epoll_create1(EPOLL_CLOEXEC);
  const int no_epoll = made->epoll < 0 ? errno : 0;
  const int problem = no_listener != 0 ? no_listener
                      : no_epoll != 0  ? no_epoll
                                       : watch(made->epoll, &made->listener, EPOLLIN);
  if (problem != 0) {
    context_close(made);
    return fail(error, DUET_BROKEN, problem, "unix: %s", no_listener != 0 ? "cannot listen" : "no epoll");
  }
  *context = made;
  return DUET_OK;
}

void context_close(duet_context* context) {
  while (context->connections != NULL)
    connection_close(context->connections);
  visitors_close(context);
  while (context->done.first != NULL)
    free(queue_remove(&context->done, &context->done.first));
  watched_close(&context->listener);
  if (context->epoll >= 0) close(context->epoll);
  free(context);
}

void context_wake_at(duet_context* context, uint64_t when_ns) {
  if (when_ns < context->wake_ns) context->wake_ns = when_ns;
}

/* Deadlines. Looks at everything, but only when the earliest of them has passed. */
static void expire(duet_context* context, uint64_t now_ns) {
  if (now_ns < context->wake_ns) return;
  context->wake_ns = NEVER;
  context_wake_at(context, visitors_expire(context, now_ns));
  for (duet_connection* each = context->connections; each != NULL; each = each->next)
    context_wake_at(context, connection_expire(each, now_ns));
  if (context->listen_again_ns == 0) return;
  if (now_ns >= context->listen_again_ns && watch(context->epoll, &context->listener, EPOLLIN) == 0) {
    context->listen_again_ns = 0;
  } else {
    if (now_ns >= context->listen_again_ns) context->listen_again_ns = now_ns + UINT64_C(100000000);
    context_wake_at(context, context->listen_again_ns);
  }
}

/* What the sockets have to say. The listener comes last: who comes in may cost a visitor his place, and that
 * visitor's event may stand in the same batch. */
static int take_events(duet_context* context) {
  struct epoll_event events[EVENTS_AT_ONCE];
  const int count = epoll_wait(context->epoll, events, EVENTS_AT_ONCE, 0);
  if (count < 0) return errno == EINTR ? 0 : errno;
  int at_the_door = 0;
  for (int i = 0; i < count; ++i) {
    struct watched* const watched = events[i].data.ptr;
    switch (watched->kind) {
      case WATCHED_LISTENER:
        at_the_door = 1;
        break;
      case WATCHED_VISITOR:
        visitor_event(context, (struct visitor*)watched, events[i].events);
        break;
      case WATCHED_CONNECTION:
        connection_event((duet_connection*)watched, events[i].events);
        break;
    }
  }
  if (at_the_door) visitors_admit(context);
  return 0;
}

/* Until something comes in, or until_ns. */
static void sleep_until(const duet_context* context, uint64_t until_ns, uint64_t now_ns) {
  uint64_t sleep_ns = until_ns > now_ns ? until_ns - now_ns : 0;
  if (sleep_ns > LONGEST_SLEEP_NS) sleep_ns = LONGEST_SLEEP_NS;
  const struct timespec timeout = {.tv_sec = (time_t)(sleep_ns / 1000000000u),
                                   .tv_nsec = (long)(sleep_ns % 1000000000u)};
  struct pollfd waiting = {.fd = context->epoll, .events = POLLIN, .revents = 0};
  ppoll(&waiting, 1, &timeout, NULL);
}

duet_status context_poll(duet_context* context, duet_completion* completions, uint32_t capacity,
                         uint64_t timeout_ns, uint32_t* count, duet_error* error) {
  *count = 0;
  uint64_t now_ns = host_now();
  const uint64_t end_ns = timeout_ns > NEVER - now_ns ? NEVER : now_ns + timeout_ns;
  for (;;) {
    const int problem = take_events(context);
    if (problem != 0) return fail(error, DUET_BROKEN, problem, "unix: epoll_wait");
    expire(context, now_ns);
    if (context->done.first != NULL || context->state_changed || now_ns >= end_ns) break;
    sleep_until(context, end_ns < context->wake_ns ? end_ns : context->wake_ns, now_ns);
    now_ns = host_now();
  }
  context->state_changed = 0;
  for (; *count < capacity && context->done.first != NULL; ++*count) {
    struct operation* const ended = queue_remove(&context->done, &context->done.first);
    completions[*count] = (duet_completion){
        .operation = ended->id, .status = ended->status, .reserved = 0, .bytes = ended->bytes};
    free(ended);
  }
  return DUET_OK;
}

duet_status context_arm(duet_context* context, uint64_t* timeout_ns) {
  if (context->done.first != NULL || context->state_changed) return DUET_AGAIN;
  if (context->wake_ns != NEVER) {
    const uint64_t now_ns = host_now();
    if (context->wake_ns <= now_ns) return DUET_AGAIN;
    if (context->wake_ns - now_ns < *timeout_ns) *timeout_ns = context->wake_ns - now_ns;
  }
  /* epoll is level-triggered: what came in before this call makes the descriptor readable, too. */
  return DUET_OK;
}
