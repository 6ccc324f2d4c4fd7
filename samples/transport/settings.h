/* The settings of this transport, as the host passes them to probe() and open_context(). */
#ifndef DUET_SAMPLE_SETTINGS_H_
#define DUET_SAMPLE_SETTINGS_H_

#include "duet/plugin/transport.h"

struct settings {
  int socket_buffer; /* bytes that the system may hold for each direction of a connection; 0: its default */
};

/* DUET_OK, or DUET_MISUSE with a text that names the setting. */
duet_status parse_settings(const duet_setting* given, uint32_t count, struct settings* settings,
                           duet_error* error);

#endif
