/* What goes over a socket. Both ends are on one machine, so that numbers keep the machine's byte order.
 *
 *   each side, once:       greeting
 *   each side, per message: header, then header.bytes of payload
 *
 * The connecting side greets at once, the accepting side when the host has accepted that session. Whoever has
 * sent and received a greeting is ready; nobody sends a message before that. */
#ifndef DUET_SAMPLE_WIRE_H_
#define DUET_SAMPLE_WIRE_H_

#include <stdint.h>

/* "duetunx1": a later version of this plugin that speaks differently changes it. */
#define GREETING_MAGIC UINT64_C(0x31786e7574657564)

struct greeting {
  uint64_t magic;
  uint64_t session;
};

struct header {
  uint64_t bytes;
};

#endif
