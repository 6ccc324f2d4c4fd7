/* The services that the host gave to this plugin. */
#ifndef DUET_SAMPLE_HOST_H_
#define DUET_SAMPLE_HOST_H_

#include "duet/plugin/transport.h"

/* Whether they have all that this plugin uses; if so they are used from now on. */
int host_adopt(const duet_services* services);

uint64_t host_now(void); /* nanoseconds, monotonic */
void host_count(const char* name);
void host_warn(const char* text);

#endif
