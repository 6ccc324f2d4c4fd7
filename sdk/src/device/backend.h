#pragma once

#include <cstddef>
#include <cstdint>

#include "dynamics/elements.h"

namespace duet::device {

/// Raised when the interface below changes: libduet and the library that drives a kind of device are built
/// together.
inline constexpr std::uint32_t kInterfaceVersion = 1;

enum class Direction : std::uint8_t { kToDevice, kToHost, kWithin };
enum class Progress : std::uint8_t { kDone, kPending, kFailed };

/// Numbers that a sketch of telemetry/sketch.h has.
inline constexpr std::size_t kSketchPlaces = 1024;

/// All that Duet needs of a kind of device, and the boundary of the library that drives it: no exceptions and
/// no containers cross it. Implemented by duet::cuda (libduet_cuda.so, loaded when a Buffer asks for it), and
/// by the tests' device, which has no hardware. Thread-safe.
///
/// A function that returns bool says false when it failed; failure() then has the text, for the calling
/// thread until its next call. Memory, streams and events are opaque. Everything that takes a stream is only
/// enqueued: it happens in the stream's order, later, and so do failures, which query() and later calls
/// report. A null stream is the device's default stream.
class Backend {
 public:
  virtual const char* failure() const = 0;

  virtual bool count(int* devices) = 0;
  /// A name for messages, such as the product's.
  virtual bool describe(int index, char* text, std::size_t bytes) = 0;
  /// The device whose memory this is; -1: none of this kind's.
  virtual int owner(const void* data) = 0;

  /// Device memory, zeroed and aligned to 256 bytes; nothing waits for pending work.
  virtual bool allocate(int index, std::size_t bytes, void** memory) = 0;
  virtual void deallocate(int index, void* memory) = 0;
  /// Host memory, zeroed, that copies to and from the device can go straight to.
  virtual bool allocate_pinned(int index, std::size_t bytes, void** memory) = 0;
  virtual void deallocate_pinned(int index, void* memory) = 0;

  /// A stream that waits for no other, the default stream included.
  virtual bool make_stream(int index, void** stream) = 0;
  virtual void destroy_stream(int index, void* stream) = 0;
  virtual bool make_event(int index, void** event) = 0;
  virtual void destroy_event(int index, void* event) = 0;
  /// Everything enqueued on the stream so far is before the event.
  virtual bool record(int index, void* event, void* stream) = 0;
  /// What is enqueued on the stream from now on is after the event as it was last recorded; one that was
  /// never recorded holds up nothing.
  virtual bool wait(int index, void* stream, void* event) = 0;
  virtual Progress query(int index, void* event) = 0;

  virtual bool copy(int index, void* stream, void* to, const void* from, std::size_t bytes,
                    Direction direction) = 0;
  virtual bool clear(int index, void* stream, void* memory, std::size_t bytes) = 0;

  // The passes of dynamics/passes.h, over device memory.
  virtual bool snapshot(int index, void* stream, dynamics::ConstElements x, float* d, float* z, void* s,
                        DType wire, std::size_t count, float c) = 0;
  virtual bool apply(int index, void* stream, float* d, float* z, const void* s, const void* r, DType wire,
                     std::size_t count, float alpha, float beta) = 0;
  virtual bool deliver(int index, void* stream, dynamics::Elements x, float* d, std::size_t count) = 0;
  virtual bool assign(int index, void* stream, dynamics::Elements x, float* d, const float* value,
                      std::size_t count) = 0;
  virtual bool mix(int index, void* stream, float* d, float* z, std::size_t count, float c) = 0;
  virtual bool invariant(int index, void* stream, dynamics::ConstElements x, const float* d, const float* z,
                         float* out, std::size_t count) = 0;
  virtual bool widen(int index, void* stream, dynamics::ConstElements x, float* out, std::size_t count) = 0;
  /// *sum += ‖s − r‖², in device memory; not finite when an element, or a difference, is not.
  virtual bool squared_distance(int index, void* stream, const void* s, const void* r, DType wire,
                                std::size_t count, double* sum) = 0;
  /// Adds x + d (d null: x) to the kSketchPlaces sums, in device memory, as telemetry::Sketcher would.
  virtual bool sketch(int index, void* stream, std::uint64_t key, dynamics::ConstElements x, const float* d,
                      std::size_t offset, std::size_t count, double* sums) = 0;

 protected:
  ~Backend() = default;  // lives as long as the process
};

/// What the library exports under this name: its backend, or null and a reason. Called once.
using BackendFunction = Backend* (*)(std::uint32_t interface_version, char* reason, std::size_t bytes);
inline constexpr const char* kBackendSymbol = "duet_device_backend";

}  // namespace duet::device
