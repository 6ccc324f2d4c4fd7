/* What epoll tells us about, and how we ask. */
#ifndef DUET_SAMPLE_WATCH_H_
#define DUET_SAMPLE_WATCH_H_

#include <stdint.h>

enum watched_kind { WATCHED_LISTENER, WATCHED_VISITOR, WATCHED_CONNECTION };

/* The first member of whatever is watched, so that an event leads back to it. */
struct watched {
  enum watched_kind kind;
  int socket; /* -1: none */
  int registered;
  uint32_t events; /* that epoll was asked for */
};

/* Asks epoll for these events, and for those that it always reports (EPOLLHUP, EPOLLERR). 0, or an errno. */
int watch(int epoll, struct watched* watched, uint32_t events);
/* Asks for nothing any more. */
void unwatch(int epoll, struct watched* watched);
/* Closes the socket; epoll forgets it by itself. */
void watched_close(struct watched* watched);

#endif
