#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

#define SMALLEST_BUFFER 4096L
#define LARGEST_BUFFER (1L << 30)

duet_status parse_settings(const duet_setting* given, uint32_t count, struct settings* settings,
                           duet_error* error) {
  memset(settings, 0, sizeof(*settings));
  for (uint32_t i = 0; i < count; ++i) {
    /* Refused, not ignored: a misspelt setting that does nothing costs its user an afternoon. */
    if (strcmp(given[i].key, "socket_buffer") != 0) {
      return fail(error, DUET_MISUSE, 0, "unix: there is no setting \"%s\"; there is socket_buffer",
                  given[i].key);
    }
    char* end = NULL;
    errno = 0;
    const long bytes = strtol(given[i].value, &end, 10);
    if (errno != 0 || end == given[i].value || *end != '\0' || bytes < SMALLEST_BUFFER ||
        bytes > LARGEST_BUFFER) {
      return fail(error, DUET_MISUSE, 0, "unix: socket_buffer = \"%s\": give bytes, from %ld to %ld",
                  given[i].value, SMALLEST_BUFFER, LARGEST_BUFFER);
    }
    settings->socket_buffer = (int)bytes;
  }
  return DUET_OK;
}
