/* libcuda.so.1 for tests on machines without a GPU: device memory is host memory, a stream is a pointer to an
 * int that says whether it is busy, and an event has passed when its stream is not. */
#include <stddef.h>
#include <stdlib.h>

enum { kSuccess = 0, kInvalid = 1, kNotReady = 600 };

struct event {
  const volatile int* stream;
};

static _Thread_local int current; /* contexts that this thread has pushed */

int cuInit(unsigned flags) {
  return flags == 0 ? kSuccess : kInvalid;
}
int cuDeviceGetCount(int* count) {
  *count = 2;
  return kSuccess;
}
int cuDevicePrimaryCtxRetain(void** context, int device) {
  static int contexts[2];
  if (device < 0 || device > 1) return kInvalid;
  *context = &contexts[device];
  return kSuccess;
}
int cuCtxPushCurrent_v2(void* context) {
  if (context == NULL) return kInvalid;
  ++current;
  return kSuccess;
}
int cuCtxPopCurrent_v2(void** context) {
  *context = NULL;
  return current-- > 0 ? kSuccess : kInvalid;
}
/* As with the real one, nothing goes without a current context. */
int cuEventCreate(void** event, unsigned flags) {
  (void)flags;
  if (current == 0) return kInvalid;
  *event = calloc(1, sizeof(struct event));
  return kSuccess;
}
int cuEventRecord(void* event, void* stream) {
  if (current == 0) return kInvalid;
  ((struct event*)event)->stream = stream;
  return kSuccess;
}
int cuEventQuery(void* event) {
  const volatile int* stream = ((struct event*)event)->stream;
  if (current == 0) return kInvalid;
  if (stream == NULL || *stream == 0) return kSuccess;
  return *stream > 0 ? kNotReady : -*stream; /* below zero: that error */
}
int cuEventDestroy_v2(void* event) {
  free(event);
  return kSuccess;
}
int cuMemAlloc_v2(unsigned long long* memory, size_t bytes) {
  if (current == 0) return kInvalid;
  *memory = (unsigned long long)(size_t)malloc(bytes);
  return kSuccess;
}
int cuMemFree_v2(unsigned long long memory) {
  if (current == 0) return kInvalid;
  free((void*)(size_t)memory);
  return kSuccess;
}
