/// As much of the CUDA driver as NCCL's transport and its tests need, over host memory.
#include "device.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "script.h"

namespace fake {
namespace {

struct Event {
  Stream* stream = nullptr;
  std::uint64_t after = 0;
};

struct Context {
  int device = 0;
};

/// What each thread has pushed. No thread_local: ThreadSanitizer does not see how the loader frees that of a
/// library that was loaded at run time when a detached thread ends.
struct Stacks {
  std::mutex mutex;
  std::map<std::thread::id, std::vector<CUcontext>> by_thread;
};
Stacks& stacks() {
  static Stacks* const instance = new Stacks;
  return *instance;
}

Context* context(int device) {
  static Context* const contexts = [] {
    auto* const all = new Context[64];
    for (int i = 0; i < 64; ++i)
      all[i].device = i;
    return all;
  }();
  return &contexts[device];
}

struct Memory {
  struct Piece {
    std::uint64_t bytes = 0;
    void* alias = nullptr;
  };
  std::mutex mutex;
  std::map<std::uintptr_t, Piece> pieces;
};

Memory& memory() {
  static Memory* const instance = new Memory;
  return *instance;
}

}  // namespace

void Stream::submit() {
  const std::lock_guard lock(mutex);
  ++submitted;
}

void Stream::complete() {
  const std::lock_guard lock(mutex);
  ++completed;
}

void Stream::fail() {
  const std::lock_guard lock(mutex);
  failed = true;
}

Stream& stream_of(CUstream handle) {
  static Stream* const legacy = new Stream;
  return handle == nullptr ? *legacy : *reinterpret_cast<Stream*>(handle);
}

int current_device() {
  const std::lock_guard lock(stacks().mutex);
  const auto found = stacks().by_thread.find(std::this_thread::get_id());
  return found == stacks().by_thread.end() ? -1 : reinterpret_cast<Context*>(found->second.back())->device;
}

unsigned char* find_device_memory(const void* data, std::uint64_t bytes) {
  const std::lock_guard lock(memory().mutex);
  const auto at = reinterpret_cast<std::uintptr_t>(data);
  auto piece = memory().pieces.upper_bound(at);
  if (piece == memory().pieces.begin()) return nullptr;
  --piece;
  const auto& [begin, found] = *piece;
  if (at + bytes > begin + found.bytes) return nullptr;
  return static_cast<unsigned char*>(found.alias) + (at - begin);
}

}  // namespace fake

extern "C" {

CUresult cuInit(unsigned) {
  return fake::script("driver") == "ok" ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}
CUresult cuGetErrorName(CUresult error, const char** text) {
  *text = error == CUDA_ERROR_NO_DEVICE ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_FAKED";
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  *count = static_cast<int>(fake::number("devices"));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  *device = ordinal;
  return ordinal < static_cast<int>(fake::number("devices")) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}
CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  const std::string text = "Fake GPU " + std::to_string(device);
  std::strncpy(name, text.c_str(), static_cast<std::size_t>(length));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  std::memset(uuid->bytes, 0, sizeof uuid->bytes);
  std::strcpy(uuid->bytes, "fake gpu ");
  uuid->bytes[9] = static_cast<char>('0' + device);
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  fake::count("contexts");
  *context = reinterpret_cast<CUcontext>(fake::context(device));
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice) {
  fake::count("contexts", -1);
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext context) {
  const std::lock_guard lock(fake::stacks().mutex);
  fake::stacks().by_thread[std::this_thread::get_id()].push_back(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext* context) {
  const std::lock_guard lock(fake::stacks().mutex);
  const auto found = fake::stacks().by_thread.find(std::this_thread::get_id());
  if (found == fake::stacks().by_thread.end()) return CUDA_ERROR_INVALID_CONTEXT;
  *context = found->second.back();
  found->second.pop_back();
  if (found->second.empty()) fake::stacks().by_thread.erase(found);
  return CUDA_SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice* device) {
  if (fake::current_device() < 0) return CUDA_ERROR_INVALID_CONTEXT;
  *device = fake::current_device();
  return CUDA_SUCCESS;
}
CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned, int) {
  if (fake::current_device() < 0) return CUDA_ERROR_INVALID_CONTEXT;
  fake::count("streams");
  *stream = reinterpret_cast<CUstream>(new fake::Stream);
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy(CUstream stream) {
  fake::count("streams", -1);
  delete reinterpret_cast<fake::Stream*>(stream);
  return CUDA_SUCCESS;
}
CUresult cuEventCreate(CUevent* event, unsigned) {
  if (fake::current_device() < 0) return CUDA_ERROR_INVALID_CONTEXT;
  fake::count("events");
  *event = reinterpret_cast<CUevent>(new fake::Event);
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
  fake::count("events", -1);
  delete reinterpret_cast<fake::Event*>(event);
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream handle) {
  fake::Stream& stream = fake::stream_of(handle);
  const std::lock_guard lock(stream.mutex);
  *reinterpret_cast<fake::Event*>(event) = {&stream, stream.submitted};
  return CUDA_SUCCESS;
}
CUresult cuEventQuery(CUevent handle) {
  const auto* event = reinterpret_cast<fake::Event*>(handle);
  const std::lock_guard lock(event->stream->mutex);
  if (event->stream->failed) return CUDA_ERROR_ILLEGAL_ADDRESS;
  return event->stream->completed >= event->after ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}
CUresult cuMemAlloc(CUdeviceptr* at, std::size_t bytes) {
  void* const piece = std::malloc(bytes);
  if (piece == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  const std::lock_guard lock(fake::memory().mutex);
  fake::memory().pieces[reinterpret_cast<std::uintptr_t>(piece)] = {bytes, piece};
  *at = reinterpret_cast<CUdeviceptr>(piece);
  return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr at) {
  {
    const std::lock_guard lock(fake::memory().mutex);
    fake::memory().pieces.erase(at);
  }
  std::free(reinterpret_cast<void*>(at));  // NOLINT(performance-no-int-to-ptr)
  return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, std::size_t bytes) {
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);  // NOLINT(performance-no-int-to-ptr)
  return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, std::size_t bytes) {
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);  // NOLINT(performance-no-int-to-ptr)
  return CUDA_SUCCESS;
}

void fake_nccl_map(void* memory, std::uint64_t bytes, void* alias) {
  const std::lock_guard lock(fake::memory().mutex);
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  if (alias == nullptr) {
    fake::memory().pieces.erase(at);
  } else {
    fake::memory().pieces[at] = {bytes, alias};
  }
}

void fake_nccl_hold(void* stream) {
  fake::stream_of(static_cast<CUstream>(stream)).submit();
}
void fake_nccl_let_go(void* stream) {
  fake::stream_of(static_cast<CUstream>(stream)).complete();
}
}
