/* load PLUGIN…: what a host in plain C does first. Each file is opened with RTLD_NOW, so that whatever it
 * needs must be there, and its entry point is asked for its table. Exit code 0: all of them gave one. */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "duet/plugin/transport.h"

static void log_line(int32_t level, const char* text) {
  fprintf(stderr, "plugin (%" PRId32 "): %s\n", level, text);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void count(const char* name, uint64_t increment) {
  (void)name;
  (void)increment;
}

static const duet_services services = {.struct_size = sizeof(duet_services),
                                       .abi_major = DUET_TRANSPORT_ABI_MAJOR,
                                       .abi_minor = DUET_TRANSPORT_ABI_MINOR,
                                       .reserved = 0,
                                       .log = log_line,
                                       .now_ns = now_ns,
                                       .count = count};

static int complain(const char* path, const char* what) {
  fprintf(stderr, "%s: %s\n", path, what);
  return 1;
}

static int load(const char* path) {
  void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return complain(path, dlerror());
  /* POSIX lets dlsym() give functions; C knows no such conversion. */
  duet_transport_plugin_function entry = NULL;
  void* const symbol = dlsym(handle, DUET_TRANSPORT_PLUGIN_SYMBOL);
  if (symbol == NULL) return complain(path, dlerror());
  memcpy(&entry, &symbol, sizeof(entry));
  char reason[240] = "";
  const duet_transport* const table = entry(&services, reason, sizeof(reason));
  if (table == NULL) return complain(path, reason);
  if (table->abi_major != DUET_TRANSPORT_ABI_MAJOR) return complain(path, "another major version");
  if (table->struct_size < offsetof(duet_transport, wait_descriptor)) return complain(path, "a short table");
  if (!table->name || !table->version || !table->probe || !table->open_context || !table->close_context ||
      !table->get_address || !table->connect || !table->accept || !table->connection_state ||
      !table->close_connection || !table->post_send || !table->post_receive || !table->poll || !table->cancel)
    return complain(path, "an empty slot");
  duet_probe_result result;
  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  const duet_status status = table->probe(NULL, 0, &result);
  if (status != DUET_OK) return complain(path, result.reason);
  printf("%s: %s %s, ABI %" PRIu32 ".%" PRIu32 ", %s: %s\n", path, table->name, table->version,
         table->abi_major, table->abi_minor, result.viable ? "viable" : "not viable", result.reason);
  return 0;
}

int main(int count_of_words, char** words) {
  int failures = count_of_words < 2;
  for (int i = 1; i < count_of_words; ++i)
    failures += load(words[i]);
  return failures == 0 ? 0 : 1;
}
