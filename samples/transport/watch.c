#include "watch.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

int watch(int epoll, struct watched* watched, uint32_t events) {
  if (watched->registered && watched->events == events) return 0;
  struct epoll_event event = {.events = events, .data = {.ptr = watched}};
  const int change = watched->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(epoll, change, watched->socket, &event) != 0) return errno;
  watched->registered = 1;
  watched->events = events;
  return 0;
}

void unwatch(int epoll, struct watched* watched) {
  if (!watched->registered) return;
  struct epoll_event ignored = {.events = 0, .data = {.ptr = NULL}};
  epoll_ctl(epoll, EPOLL_CTL_DEL, watched->socket, &ignored);
  watched->registered = 0;
  watched->events = 0;
}

void watched_close(struct watched* watched) {
  if (watched->socket >= 0) close(watched->socket);
  watched->socket = -1;
  watched->registered = 0;
  watched->events = 0;
}
