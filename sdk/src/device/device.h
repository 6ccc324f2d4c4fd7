#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "device/backend.h"

/// Devices for the rooms above: a backend's functions with exceptions for failures and owners for handles.
namespace duet::device {

using Bytes = std::shared_ptr<std::byte[]>;

class Stream;
class Event;

/// One device. Everything throws DeviceError, which names the device and what it was asked to do.
/// Thread-safe; streams and events are not.
class Device : public std::enable_shared_from_this<Device> {
 public:
  Device(Backend& backend, int index, std::string name);

  const std::string& name() const { return name_; }  ///< "cuda:0 (NVIDIA H100)"
  int index() const { return index_; }
  Backend& backend() const { return backend_; }
  bool owns(const void* data) const { return backend_.owner(data) == index_; }

  /// The device has not let go of what it was given. No memory of it, nor pinned for it, is freed from now
  /// on: to free waits for all that a device has to do, for ever if it hangs, and better never freed than
  /// written to by a device in somebody else's hands.
  void give_up(const char* what) noexcept;
  bool given_up() const { return given_up_.load(); }

  /// Zeroed. Throw ConfigurationError that says what there was no memory for. Where the last owner lets go of
  /// it, it may be freed, which waits for the device: not in the communication thread.
  Bytes allocate(std::size_t bytes, const char* purpose);
  Bytes allocate_pinned(std::size_t bytes, const char* purpose);
  Stream make_stream();
  Event make_event();

  /// Throws when `fine` is false, with the backend's reason.
  void check(bool fine, const char* what) const;

 private:
  using Free = void (Backend::*)(int index, void* memory);
  Bytes owned(void* memory, Free free);

  Backend& backend_;
  int index_;
  std::string name_;
  std::atomic<bool> given_up_{false};
};

/// A stream: its own, or one that the embedder lends. Movable.
class Stream {
 public:
  Stream() = default;
  /// Borrowed.
  Stream(std::shared_ptr<Device> device, void* handle) : device_(std::move(device)), handle_(handle) {}
  ~Stream();
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;

  void* handle() const { return handle_; }

  /// What is enqueued from now on comes after the event.
  void wait(const Event& event);
  void copy(void* to, const void* from, std::size_t bytes, Direction direction);
  void clear(void* memory, std::size_t bytes);
  void snapshot(dynamics::ConstElements x, float* d, float* z, void* s, DType wire, std::size_t count,
                float c);
  void apply(float* d, float* z, const void* s, const void* r, DType wire, std::size_t count, float alpha,
             float beta);
  void deliver(dynamics::Elements x, float* d, std::size_t count);
  void assign(dynamics::Elements x, float* d, const float* value, std::size_t count);
  void mix(float* d, float* z, std::size_t count, float c);
  void invariant(dynamics::ConstElements x, const float* d, const float* z, float* out, std::size_t count);
  void widen(dynamics::ConstElements x, float* out, std::size_t count);
  void squared_distance(const void* s, const void* r, DType wire, std::size_t count, double* sum);
  void sketch(std::uint64_t key, dynamics::ConstElements x, const float* d, std::size_t offset,
              std::size_t count, double* sums);

 private:
  friend class Device;
  Stream(std::shared_ptr<Device> device, void* handle, bool owned)
      : device_(std::move(device)), handle_(handle), owned_(owned) {}
  Backend& backend() const { return device_->backend(); }
  int index() const { return device_->index(); }
  std::shared_ptr<Device> device_;
  void* handle_ = nullptr;
  bool owned_ = false;
};

/// A point in a stream's order. Movable.
class Event {
 public:
  Event() = default;
  ~Event();
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;

  void* handle() const { return handle_; }
  void record(Stream& stream);
  /// Whether everything before it has happened; true when it was never recorded.
  bool done() const;
  /// Waits for that, for at most so long. False: not by then, or the device failed. Never throws: for
  /// destructors.
  bool wait(double seconds) const noexcept;

 private:
  friend class Device;
  Event(std::shared_ptr<Device> device, void* handle) : device_(std::move(device)), handle_(handle) {}
  std::shared_ptr<Device> device_;
  void* handle_ = nullptr;
};

}  // namespace duet::device
