#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

duet_status fail(duet_error* error, duet_status status, int system_error, const char* format, ...) {
  if (error == NULL) return status;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(error->text, sizeof(error->text), format, arguments);
  va_end(arguments);
  if (system_error != 0 && length >= 0 && (size_t)length < sizeof(error->text)) {
    snprintf(error->text + length, sizeof(error->text) - (size_t)length, ": %s", strerror(system_error));
  }
  error->status = status;
  error->system_error = system_error;
  return status;
}

void copy_text(char* to, uint64_t capacity, const char* from) {
  if (capacity == 0) return;
  size_t length = strlen(from);
  if (length > capacity - 1) length = (size_t)(capacity - 1);
  memcpy(to, from, length);
  to[length] = '\0';
}
