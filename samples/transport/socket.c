#define _GNU_SOURCE /* accept4(), SO_PEERCRED, getrandom() */
#include "socket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ADDRESS_PREFIX "duet-unix:"
#define NAME_PREFIX "duet-unix-"

/* An abstract name begins with a zero byte, and its length is what the address's length says. */
static socklen_t abstract_address(const char* name, struct sockaddr_un* address) {
  const size_t length = strlen(name);
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path + 1, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

int socket_listen(char name[SOCKET_NAME_CAPACITY]) {
  uint64_t random = 0;
  if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) return -1;
  snprintf(name, SOCKET_NAME_CAPACITY, NAME_PREFIX "%ld-%016" PRIx64, (long)getpid(), random);
  const int listener = socket_open(0);
  if (listener < 0) return -1;
  struct sockaddr_un address;
  const socklen_t length = abstract_address(name, &address);
  if (bind(listener, (const struct sockaddr*)&address, length) != 0 || listen(listener, SOMAXCONN) != 0) {
    const int failure = errno;
    close(listener);
    errno = failure;
    return -1;
  }
  return listener;
}

size_t socket_address(const char* name, char* blob, size_t capacity) {
  const size_t prefix = strlen(ADDRESS_PREFIX), length = strlen(name);
  if (prefix + length <= capacity) {
    memcpy(blob, ADDRESS_PREFIX, prefix);
    memcpy(blob + prefix, name, length);
  }
  return prefix + length;
}

int socket_parse(const void* blob, uint64_t bytes, char name[SOCKET_NAME_CAPACITY]) {
  const size_t prefix = strlen(ADDRESS_PREFIX);
  if (blob == NULL || bytes <= prefix + strlen(NAME_PREFIX) || bytes - prefix >= SOCKET_NAME_CAPACITY)
    return 0;
  if (memcmp(blob, ADDRESS_PREFIX NAME_PREFIX, prefix + strlen(NAME_PREFIX)) != 0) return 0;
  const size_t length = (size_t)bytes - prefix;
  memcpy(name, (const char*)blob + prefix, length);
  name[length] = '\0';
  return strlen(name) == length && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int socket_open(int buffer_bytes) {
  const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  /* A wish: the system may give less, and everything works with any size. */
  if (made >= 0 && buffer_bytes > 0)
    setsockopt(made, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
  return made;
}

int socket_connect(int socket, const char* name) {
  struct sockaddr_un address;
  const socklen_t length = abstract_address(name, &address);
  for (;;) {
    if (connect(socket, (const struct sockaddr*)&address, length) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}

int socket_accept(int listener, int buffer_bytes) {
  const int made = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (made >= 0 && buffer_bytes > 0)
    setsockopt(made, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
  return made;
}

int socket_peer_is_same_user(int socket) {
  struct ucred credentials;
  socklen_t length = sizeof(credentials);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
         credentials.uid == geteuid();
}
