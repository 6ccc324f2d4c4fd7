/* A transport that brings its host down as soon as it is asked for its table: what MISBEHAVIOUR says. */
#include <stdlib.h>
#include <unistd.h>

#include "duet/plugin/transport.h"

const duet_transport* duet_transport_plugin(const duet_services* services, char* reason,
                                            uint64_t reason_size) {
  (void)services;
  (void)reason;
  (void)reason_size;
  MISBEHAVIOUR;
  return NULL;
}
