/* A connection: a socket, two queues of operations, and how far the message at the head of each has come. */
#ifndef DUET_SAMPLE_CONNECTION_H_
#define DUET_SAMPLE_CONNECTION_H_

#include "context.h"
#include "wire.h"

struct duet_connection {
  struct watched watched; /* the socket; first, see watch.h */
  duet_context* context;
  duet_connection *next, **link; /* in context->connections; *link points to this one */

  uint64_t session;
  char name[SOCKET_NAME_CAPACITY]; /* connecting: whom to try again */
  char peer[64];                   /* the host's name for the other side */
  int accepting;                   /* this side accepts */
  int connected;                   /* there is somebody at the other end of the socket */
  int hung_up;          /* the other end was closed; what it sent before may still be there to read */
  int32_t state;        /* DUET_CONNECTION_* */
  uint64_t deadline_ns; /* while pending; 0: none */
  duet_error failure;   /* of the connection */
  duet_error last;      /* of its last operation that failed */

  struct queue sends;
  struct greeting my_greeting;
  size_t greeting_sent; /* bytes */
  uint64_t sent;        /* bytes of the first send, its header included */

  struct queue receives;
  struct greeting peer_greeting;
  size_t greeting_received;
  struct header header; /* of the message that is coming in */
  size_t header_received;
  uint64_t received; /* bytes of its payload */
};

/* Both are DUET_OK, and there is a connection, or why not. */
duet_status connection_connect(duet_context* context, const duet_connect_request* request,
                               duet_connection** connection, duet_error* error);
duet_status connection_accept(duet_context* context, const duet_connect_request* request,
                              duet_connection** connection, duet_error* error);
/* Gives an accepting connection the socket of the one who asked for its session. */
void connection_adopt(duet_connection* connection, int socket);

duet_status connection_post(duet_connection* connection, int is_send, const duet_memory* memory,
                            uint64_t operation, uint64_t deadline_ns, duet_error* error);
duet_status connection_cancel(duet_connection* connection, uint64_t operation);

/* Moves what can be moved now. */
void connection_advance(duet_connection* connection);
/* The socket has something to say. */
void connection_event(duet_connection* connection, uint32_t events);
/* Ends what is past its deadline. Returns when to look again, or NEVER. */
uint64_t connection_expire(duet_connection* connection, uint64_t now_ns);

/* The connection is over: its operations end with this status. what: "closed the connection". */
void connection_fail(duet_connection* connection, duet_status status, int system_error, const char* what);
/* The first operation of a queue has ended well. */
void connection_complete(duet_connection* connection, struct queue* queue, uint64_t bytes);

void connection_close(duet_connection* connection);

#endif
