#include "host.h"

#include <stdatomic.h>
#include <stddef.h>

/* Two copies of the host in one process each call the entry point, maybe at the same time. Their services do
 * the same, so it does not matter whose are used. */
static _Atomic(const duet_services*) host_services;

int host_adopt(const duet_services* services) {
  /* A slot counts only if it lies within struct_size and is not null. */
  if (services == NULL || !DUET_HAS_FIELD(services, duet_services, count)) return 0;
  if (services->log == NULL || services->now_ns == NULL || services->count == NULL) return 0;
  atomic_store(&host_services, services);
  return 1;
}

uint64_t host_now(void) {
  return atomic_load(&host_services)->now_ns();
}

void host_count(const char* name) {
  atomic_load(&host_services)->count(name, 1);
}

void host_warn(const char* text) {
  atomic_load(&host_services)->log(DUET_LOG_WARNING, text);
}
