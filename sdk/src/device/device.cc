#include "device/device.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "duet/error.h"
#include "support/log.h"

namespace duet::device {
namespace {

/// Between two looks at an event that somebody waits for.
constexpr auto kGlance = std::chrono::microseconds(20);

/// Keeps memory that is not freed in sight of who looks for leaks.
void keep_for_ever(void* memory) {
  static std::mutex* const mutex = new std::mutex;
  static auto* const kept = new std::vector<void*>;
  const std::lock_guard lock(*mutex);
  kept->push_back(memory);
}

}  // namespace

Device::Device(Backend& backend, int index, std::string name)
    : backend_(backend), index_(index), name_(std::move(name)) {}

void Device::check(bool fine, const char* what) const {
  if (fine) return;
  const char* reason = backend_.failure();
  throw DeviceError(fmt::format("{}: {} failed: {}", name_, what, reason == nullptr ? "unknown" : reason));
}

Bytes Device::allocate(std::size_t bytes, const char* purpose) {
  void* memory = nullptr;
  if (!backend_.allocate(index_, bytes, &memory)) {
    throw ConfigurationError(fmt::format(
        "{} has no memory for {} ({} bytes): {}. Use smaller blocks or fewer parameters, or free some", name_,
        purpose, bytes, backend_.failure()));
  }
  return owned(memory, &Backend::deallocate);
}

Bytes Device::allocate_pinned(std::size_t bytes, const char* purpose) {
  void* memory = nullptr;
  if (!backend_.allocate_pinned(index_, bytes, &memory)) {
    throw ConfigurationError(
        fmt::format("there is no pinned host memory for {} ({} bytes): {}. Use smaller blocks, or raise the "
                    "limit on locked memory",
                    purpose, bytes, backend_.failure()));
  }
  return owned(memory, &Backend::deallocate_pinned);
}

Bytes Device::owned(void* memory, Free free) {
  return Bytes(static_cast<std::byte*>(memory), [self = shared_from_this(), free](std::byte* data) {
    if (self->given_up_.load()) return keep_for_ever(data);
    (self->backend_.*free)(self->index_, data);
  });
}

void Device::give_up(const char* what) noexcept {
  if (!given_up_.exchange(true)) {
    support::error("{} did not let go of {}: no memory of it is freed any more", name_, what);
  }
}

Stream Device::make_stream() {
  void* handle = nullptr;
  check(backend_.make_stream(index_, &handle), "making a stream");
  return Stream(shared_from_this(), handle, true);
}

Event Device::make_event() {
  void* handle = nullptr;
  check(backend_.make_event(index_, &handle), "making an event");
  return Event(shared_from_this(), handle);
}

Stream::~Stream() {
  if (owned_) backend().destroy_stream(index(), handle_);
}
Stream::Stream(Stream&& other) noexcept
    : device_(std::move(other.device_)),
      handle_(std::exchange(other.handle_, nullptr)),
      owned_(std::exchange(other.owned_, false)) {}
Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  std::swap(owned_, other.owned_);
  return *this;
}

void Stream::wait(const Event& event) {
  device_->check(backend().wait(index(), handle_, event.handle()), "waiting for an event");
}
void Stream::copy(void* to, const void* from, std::size_t bytes, Direction direction) {
  if (bytes == 0) return;
  device_->check(backend().copy(index(), handle_, to, from, bytes, direction), "a copy");
}
void Stream::clear(void* memory, std::size_t bytes) {
  device_->check(backend().clear(index(), handle_, memory, bytes), "clearing memory");
}
void Stream::snapshot(dynamics::ConstElements x, float* d, float* z, void* s, DType wire, std::size_t count,
                      float c) {
  device_->check(backend().snapshot(index(), handle_, x, d, z, s, wire, count, c), "a snapshot");
}
void Stream::apply(float* d, float* z, const void* s, const void* r, DType wire, std::size_t count,
                   float alpha, float beta) {
  device_->check(backend().apply(index(), handle_, d, z, s, r, wire, count, alpha, beta), "applying a block");
}
void Stream::deliver(dynamics::Elements x, float* d, std::size_t count) {
  device_->check(backend().deliver(index(), handle_, x, d, count), "delivering a correction");
}
void Stream::assign(dynamics::Elements x, float* d, const float* value, std::size_t count) {
  device_->check(backend().assign(index(), handle_, x, d, value, count), "assigning parameters");
}
void Stream::mix(float* d, float* z, std::size_t count, float c) {
  if (z == nullptr || c == 0.0F) return;
  device_->check(backend().mix(index(), handle_, d, z, count, c), "mixing a block");
}
void Stream::invariant(dynamics::ConstElements x, const float* d, const float* z, float* out,
                       std::size_t count) {
  device_->check(backend().invariant(index(), handle_, x, d, z, out, count), "summing up x + d + z/2");
}
void Stream::widen(dynamics::ConstElements x, float* out, std::size_t count) {
  device_->check(backend().widen(index(), handle_, x, out, count), "reading parameters");
}
void Stream::squared_distance(const void* s, const void* r, DType wire, std::size_t count, double* sum) {
  device_->check(backend().squared_distance(index(), handle_, s, r, wire, count, sum),
                 "comparing two snapshots");
}
void Stream::sketch(std::uint64_t key, dynamics::ConstElements x, const float* d, std::size_t offset,
                    std::size_t count, double* sums) {
  device_->check(backend().sketch(index(), handle_, key, x, d, offset, count, sums), "a sketch");
}

Event::~Event() {
  if (handle_ != nullptr) device_->backend().destroy_event(device_->index(), handle_);
}
Event::Event(Event&& other) noexcept
    : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}
Event& Event::operator=(Event&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  return *this;
}

void Event::record(Stream& stream) {
  device_->check(device_->backend().record(device_->index(), handle_, stream.handle()), "recording an event");
}

bool Event::done() const {
  if (handle_ == nullptr) return true;
  const Progress progress = device_->backend().query(device_->index(), handle_);
  device_->check(progress != Progress::kFailed, "earlier work");
  return progress == Progress::kDone;
}

bool Event::wait(double seconds) const noexcept {
  if (handle_ == nullptr) return true;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    const Progress progress = device_->backend().query(device_->index(), handle_);
    if (progress != Progress::kPending) return progress == Progress::kDone;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kGlance);
  }
}

}  // namespace duet::device
