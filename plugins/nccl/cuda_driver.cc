#include "cuda_driver.h"

#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#include "failure.h"
#include "shared_object.h"

namespace duet::nccl {
namespace {

// cuda.h renames its functions to their latest versions; the symbols have to be looked up under those names.
#define DUET_TEXT_OF(name) #name
#define DUET_SYMBOL(name) DUET_TEXT_OF(name)

}  // namespace

CudaDriver::CudaDriver(const std::string& library) {
  const std::string name = library.empty() ? "libcuda.so.1" : library;
  const SharedObject object = [&] {
    try {
      return SharedObject(name, "the CUDA driver");
    } catch (const FailureError& error) {
      throw FailureError(DUET_NOT_SUPPORTED, std::string("no CUDA device: ") + error.what());
    }
  }();
  object.get(DUET_SYMBOL(cuInit), init);
  object.get(DUET_SYMBOL(cuGetErrorName), get_error_name_);
  object.get(DUET_SYMBOL(cuDeviceGetCount), get_count);
  object.get(DUET_SYMBOL(cuDeviceGet), get_device);
  object.get(DUET_SYMBOL(cuDeviceGetName), get_name);
  object.get(DUET_SYMBOL(cuDeviceGetUuid), get_uuid);
  object.get(DUET_SYMBOL(cuDevicePrimaryCtxRetain), primary_retain);
  object.get(DUET_SYMBOL(cuDevicePrimaryCtxRelease), primary_release);
  object.get(DUET_SYMBOL(cuCtxPushCurrent), push_context);
  object.get(DUET_SYMBOL(cuCtxPopCurrent), pop_context);
  object.get(DUET_SYMBOL(cuCtxGetDevice), context_device);
  object.get(DUET_SYMBOL(cuStreamCreateWithPriority), stream_create);
  object.get(DUET_SYMBOL(cuStreamDestroy), stream_destroy);
  object.get(DUET_SYMBOL(cuEventCreate), event_create);
  object.get(DUET_SYMBOL(cuEventDestroy), event_destroy);
  object.get(DUET_SYMBOL(cuEventRecord), event_record);
  object.get(DUET_SYMBOL(cuEventQuery), event_query);
  if (const CUresult result = init(0); result != CUDA_SUCCESS)
    throw FailureError(DUET_NOT_SUPPORTED, "no CUDA device: the driver says " + error_text(result));
  const CUresult counted = get_count(&device_count_);
  if (counted != CUDA_SUCCESS || device_count_ == 0) {
    throw FailureError(DUET_NOT_SUPPORTED,
                       "no CUDA device: the driver finds none" +
                           (counted == CUDA_SUCCESS ? std::string(" (is CUDA_VISIBLE_DEVICES set?)")
                                                    : ": " + error_text(counted)));
  }
}

const CudaDriver& CudaDriver::load(const std::string& library) {
  // Never destroyed: teardown threads may use them until the very end. A failure is not remembered: a driver
  // may be installed, and a probe asked again.
  static std::mutex mutex;
  static auto* const loaded = new std::map<std::string, std::unique_ptr<CudaDriver>>;
  const std::lock_guard lock(mutex);
  auto& driver = (*loaded)[library];
  if (driver == nullptr) driver.reset(new CudaDriver(library));
  return *driver;
}

int CudaDriver::current_device() const {
  CUdevice device = 0;
  return context_device(&device) == CUDA_SUCCESS ? device : 0;
}

Id128 CudaDriver::uuid(int ordinal) const {
  CUdevice device = 0;
  CUuuid found{};
  CUresult result = get_device(&device, ordinal);
  if (result == CUDA_SUCCESS) result = get_uuid(&found, device);
  if (result != CUDA_SUCCESS) {
    throw FailureError(DUET_DEVICE_ERROR,
                       "CUDA device " + std::to_string(ordinal) + ": no UUID: " + error_text(result));
  }
  Id128 id{};
  static_assert(sizeof found.bytes == id.size());
  std::memcpy(id.data(), found.bytes, id.size());
  return id;
}

std::string CudaDriver::name(int ordinal) const {
  CUdevice device = 0;
  char text[128] = "";
  if (get_device(&device, ordinal) != CUDA_SUCCESS || get_name(text, sizeof text, device) != CUDA_SUCCESS)
    return "unknown";
  return text;
}

std::string CudaDriver::error_text(CUresult result) const {
  const char* name = nullptr;
  if (get_error_name_(result, &name) != CUDA_SUCCESS || name == nullptr) name = "an unknown error";
  return std::string(name) + " (" + std::to_string(static_cast<int>(result)) + ")";
}

Device::Device(const CudaDriver& driver, int ordinal) : driver_(driver), ordinal_(ordinal) {
  if (ordinal >= driver.device_count()) {
    throw FailureError(DUET_NOT_SUPPORTED, "CUDA device " + std::to_string(ordinal) +
                                               " was asked for, but there are only " +
                                               std::to_string(driver.device_count()));
  }
  uuid_ = driver.uuid(ordinal);
  driver.get_device(&device_, ordinal);
  if (const CUresult result = driver.primary_retain(&context_, device_); result != CUDA_SUCCESS) {
    throw FailureError(DUET_DEVICE_ERROR, "CUDA device " + std::to_string(ordinal) +
                                              ": no context: " + driver.error_text(result));
  }
}

Device::~Device() {
  driver_.primary_release(device_);
}

}  // namespace duet::nccl
