/* What the host is told when something goes wrong. */
#ifndef DUET_SAMPLE_FAILURE_H_
#define DUET_SAMPLE_FAILURE_H_

#include "duet/plugin/transport.h"

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

/* Fills *error (which may be null) and returns status, so that a function can end with it. system_error: an
 * errno, whose text is added; 0: none. */
duet_status fail(duet_error* error, duet_status status, int system_error, const char* format, ...)
    PRINTF_LIKE(4, 5);

/* Copies a text that always ends, cut off where there is no room. */
void copy_text(char* to, uint64_t capacity, const char* from);

#endif
