#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.h"
#include "duet/buffer.h"

namespace duet::device {

/// The device that a Buffer names; the same object for all who use it at a time, so that what one of them
/// finds out (Device::give_up) holds for all. Loads the library that drives its kind on first use
/// (libduet_cuda.so beside libduet.so, or where DUET_CUDA_LIBRARY says). Throws ConfigurationError with every
/// place that was looked at, or with the driver's reason, or with the devices that there are. Thread-safe.
std::shared_ptr<Device> open(DeviceKind kind, int index);

/// The library at the first of these paths where there is a file; what open() does, and for tests.
Backend* load_library(const std::vector<std::string>& paths);

/// For tests, while no device is in use: this backend in place of the kind's library; null: the library
/// again.
void use_backend(DeviceKind kind, Backend* backend);

}  // namespace duet::device
