/* The sockets underneath: non-blocking, closed on exec, in the abstract namespace. An abstract name is no
 * file: the system forgets it with its last socket, so that not even a SIGKILL leaves something behind. */
#ifndef DUET_SAMPLE_SOCKET_H_
#define DUET_SAMPLE_SOCKET_H_

#include <stddef.h>

#include "duet/plugin/transport.h"

/* "duet-unix-PID-" and 16 random hexadecimal digits. */
#define SOCKET_NAME_CAPACITY 64

/* Listens under a name of its own, which it writes down. The socket, or -1 with errno. */
int socket_listen(char name[SOCKET_NAME_CAPACITY]);

/* The address blob of a name, and back. socket_parse: 0 when the bytes are no address of this transport. */
size_t socket_address(const char* name, char* blob, size_t capacity);
int socket_parse(const void* blob, uint64_t bytes, char name[SOCKET_NAME_CAPACITY]);

/* A new socket for connections, with the wished buffer size (0: the system's). -1 with errno. */
int socket_open(int buffer_bytes);
/* 0, or an errno; EAGAIN: the listener's queue is full at the moment. */
int socket_connect(int socket, const char* name);
/* The next one who connected, or -1 with errno. */
int socket_accept(int listener, int buffer_bytes);

/* Whether the other end belongs to the user of this process. */
int socket_peer_is_same_user(int socket);

#endif
