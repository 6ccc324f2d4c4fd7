/* The bytes of a connection: greetings, headers and payloads, in as many pieces as the socket likes. */
#ifndef DUET_SAMPLE_STREAM_H_
#define DUET_SAMPLE_STREAM_H_

#include "connection.h"

/* Take and give what is possible without waiting; on what ends the connection they fail it. A payload goes
 * straight into the memory of its receive: one that has no receive yet stays with the system, whose buffer
 * is bounded, so that a peer that sends and sends fills no memory here. */
void stream_read(duet_connection* connection);
void stream_write(duet_connection* connection);

/* Asks epoll for what the connection waits for now. */
void stream_watch(duet_connection* connection);

#endif
