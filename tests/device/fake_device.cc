#include "device/fake_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "device/reference.h"

namespace duet::test {
namespace {

thread_local std::string g_failure;

}  // namespace

/// Counts recordings, so that a wait means the one before it, whatever is recorded later.
struct FakeDevice::Event {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t recorded = 0;
  std::uint64_t happened = 0;
};

class FakeDevice::Stream {
 public:
  explicit Stream(unsigned seed) : random_(seed), thread_([this] { run(); }) {}
  ~Stream() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
      held_ = false;
    }
    changed_.notify_all();
    thread_.join();
  }

  void enqueue(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    changed_.notify_all();
  }
  void hold(bool yes) {
    {
      const std::lock_guard lock(mutex_);
      held_ = yes;
    }
    changed_.notify_all();
  }
  bool idle() {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && !working_;
  }

 private:
  void run() {
    for (;;) {
      std::function<void()> work;
      int pause = 0;
      {
        std::unique_lock lock(mutex_);
        working_ = false;
        changed_.wait(lock, [this] { return (ending_ || !queue_.empty()) && !held_; });
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
        working_ = true;
        if (random_() % 8 == 0) pause = static_cast<int>(random_() % 60);
      }
      if (pause > 0) std::this_thread::sleep_for(std::chrono::microseconds(pause));
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool working_ = false;
  bool held_ = false;
  bool ending_ = false;
  std::minstd_rand random_;
  std::thread thread_;
};

FakeDevice::FakeDevice(int devices) : devices_(devices) {
  for (int i = 0; i < devices; ++i)
    default_streams_.push_back(std::make_unique<Stream>(static_cast<unsigned>(i + 1)));
}

FakeDevice::~FakeDevice() = default;

void FakeDevice::drain() {
  // A stream may wait for another: several rounds, until all are found idle.
  for (bool idle = false; !idle;) {
    std::this_thread::yield();
    const std::lock_guard lock(mutex_);
    idle = true;
    for (const auto& stream : default_streams_)
      idle = stream->idle() && idle;
    for (const auto& [handle, stream] : streams_)
      idle = stream->idle() && idle;
  }
}

void* FakeDevice::alias(const void* memory) {
  return find(memory, false);
}

std::vector<std::string> FakeDevice::complaints() {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

void FakeDevice::complain(const std::string& what) {
  std::fprintf(stderr, "fake device: %s\n", what.c_str());
  const std::lock_guard lock(mutex_);
  complaints_.push_back(what);
}

void FakeDevice::break_down(const std::string& why) {
  const std::lock_guard lock(mutex_);
  broken_ = why;
}

void FakeDevice::hold(void* stream, int index) {
  stream_of(index, stream).hold(true);
}
void FakeDevice::release(void* stream, int index) {
  stream_of(index, stream).hold(false);
}

void FakeDevice::watch(Watcher watcher) {
  const std::lock_guard lock(mutex_);
  watcher_ = std::move(watcher);
  if (!watcher_) return;
  for (const auto& [memory, region] : regions_) {
    if (!region.pinned) watcher_(const_cast<std::byte*>(memory), region.bytes, region.alias);
  }
}

void FakeDevice::hold_all(bool yes) {
  const std::lock_guard lock(mutex_);
  for (const auto& stream : default_streams_)
    stream->hold(yes);
  for (const auto& [handle, stream] : streams_)
    stream->hold(yes);
}

std::size_t FakeDevice::allocations() {
  const std::lock_guard lock(mutex_);
  return regions_.size();
}

const char* FakeDevice::failure() const {
  return g_failure.c_str();
}

bool FakeDevice::count(int* devices) {
  *devices = devices_;
  return true;
}

bool FakeDevice::describe(int, char* text, std::size_t bytes) {
  std::snprintf(text, bytes, "no hardware");
  return true;
}

int FakeDevice::owner(const void* data) {
  const std::lock_guard lock(mutex_);
  const auto* const at = static_cast<const std::byte*>(data);
  auto after = regions_.upper_bound(at);
  if (after == regions_.begin()) return -1;
  --after;
  const bool inside = at < after->first + after->second.bytes;
  return inside && !after->second.pinned ? after->second.index : -1;
}

bool FakeDevice::allocate(int index, std::size_t bytes, void** memory) {
  if (out_of_memory_) {
    g_failure = "out of memory";
    return false;
  }
  const std::size_t whole = (bytes + 4095) / 4096 * 4096;
  const int descriptor = memfd_create("duet-fake-device", 0);
  if (descriptor < 0 || ftruncate(descriptor, static_cast<off_t>(whole)) != 0) std::abort();
  void* const shadow = mmap(nullptr, whole, PROT_NONE, MAP_SHARED, descriptor, 0);
  void* const alias = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  close(descriptor);
  if (shadow == MAP_FAILED || alias == MAP_FAILED) std::abort();
  const std::lock_guard lock(mutex_);
  // To the byte, so that a pass that goes further is found out.
  regions_[static_cast<std::byte*>(shadow)] = {bytes, static_cast<std::byte*>(alias), index, false};
  if (watcher_) watcher_(shadow, bytes, alias);
  *memory = shadow;
  return true;
}

void FakeDevice::deallocate(int, void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = regions_.find(static_cast<std::byte*>(memory));
  const std::size_t whole = (found->second.bytes + 4095) / 4096 * 4096;
  if (watcher_) watcher_(memory, 0, nullptr);
  munmap(found->second.alias, whole);
  munmap(memory, whole);
  regions_.erase(found);
}

bool FakeDevice::allocate_pinned(int index, std::size_t bytes, void** memory) {
  *memory = std::calloc(1, bytes + 1);
  const std::lock_guard lock(mutex_);
  regions_[static_cast<std::byte*>(*memory)] = {bytes, static_cast<std::byte*>(*memory), index, true};
  return true;
}

void FakeDevice::deallocate_pinned(int, void* memory) {
  {
    const std::lock_guard lock(mutex_);
    regions_.erase(static_cast<std::byte*>(memory));
  }
  std::free(memory);
}

bool FakeDevice::make_stream(int index, void** stream) {
  static std::atomic<unsigned> made{100};
  auto fresh = std::make_unique<Stream>(++made + static_cast<unsigned>(index));
  *stream = fresh.get();
  const std::lock_guard lock(mutex_);
  streams_[*stream] = std::move(fresh);
  return true;
}

void FakeDevice::destroy_stream(int, void* stream) {
  std::unique_ptr<Stream> gone;
  {
    const std::lock_guard lock(mutex_);
    gone = std::move(streams_[stream]);
    streams_.erase(stream);
  }
}

bool FakeDevice::make_event(int, void** event) {
  auto made = std::make_shared<Event>();
  *event = made.get();
  const std::lock_guard lock(mutex_);
  events_[*event] = std::move(made);
  return true;
}

void FakeDevice::destroy_event(int, void* event) {
  const std::lock_guard lock(mutex_);
  events_.erase(event);
}

FakeDevice::Stream& FakeDevice::stream_of(int index, void* stream) {
  const std::lock_guard lock(mutex_);
  return stream == nullptr ? *default_streams_[static_cast<std::size_t>(index)] : *streams_.at(stream);
}

bool FakeDevice::enqueue(int index, void* stream, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (!broken_.empty()) {
      g_failure = broken_;
      return false;
    }
  }
  stream_of(index, stream).enqueue(std::move(work));
  return true;
}

bool FakeDevice::record(int index, void* event, void* stream) {
  std::shared_ptr<Event> recorded;
  {
    const std::lock_guard lock(mutex_);
    recorded = events_.at(event);
  }
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(recorded->mutex);
    number = ++recorded->recorded;
  }
  return enqueue(index, stream, [recorded, number] {
    {
      const std::lock_guard lock(recorded->mutex);
      recorded->happened = std::max(recorded->happened, number);
    }
    recorded->changed.notify_all();
  });
}

bool FakeDevice::wait(int index, void* stream, void* event) {
  std::shared_ptr<Event> awaited;
  {
    const std::lock_guard lock(mutex_);
    awaited = events_.at(event);
  }
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(awaited->mutex);
    number = awaited->recorded;
  }
  return enqueue(index, stream, [awaited, number] {
    std::unique_lock lock(awaited->mutex);
    awaited->changed.wait(lock, [&] { return awaited->happened >= number; });
  });
}

device::Progress FakeDevice::query(int, void* event) {
  std::shared_ptr<Event> asked;
  {
    const std::lock_guard lock(mutex_);
    if (!broken_.empty()) {
      g_failure = broken_;
      return device::Progress::kFailed;
    }
    asked = events_.at(event);
  }
  const std::lock_guard lock(asked->mutex);
  return asked->happened == asked->recorded ? device::Progress::kDone : device::Progress::kPending;
}

void* FakeDevice::find(const void* memory, bool pinned) {
  const auto* const at = static_cast<const std::byte*>(memory);
  {
    const std::lock_guard lock(mutex_);
    auto after = regions_.upper_bound(at);
    if (after != regions_.begin()) {
      --after;
      if (at < after->first + after->second.bytes && after->second.pinned == pinned)
        return after->second.alias + (at - after->first);
    }
  }
  complain(pinned ? "a copy to or from host memory that is not pinned, or no longer"
                  : "work on memory that is not the device's, or no longer");
  return nullptr;
}

template <class T>
T* FakeDevice::there(T* memory) {
  return memory == nullptr ? nullptr : static_cast<T*>(find(memory, false));
}

bool FakeDevice::copy(int index, void* stream, void* to, const void* from, std::size_t bytes,
                      device::Direction direction) {
  return enqueue(index, stream, [=, this] {
    void* const target = find(to, direction == device::Direction::kToHost);
    const void* const source = find(from, direction == device::Direction::kToDevice);
    if (target != nullptr && source != nullptr) std::memcpy(target, source, bytes);
  });
}

bool FakeDevice::clear(int index, void* stream, void* memory, std::size_t bytes) {
  return enqueue(index, stream, [=, this] {
    if (void* const target = there(memory); target != nullptr) std::memset(target, 0, bytes);
  });
}

bool FakeDevice::snapshot(int index, void* stream, dynamics::ConstElements x, float* d, float* z, void* s,
                          DType wire, std::size_t count, float c) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::snapshot({there(x.data), x.dtype}, there(d), there(z), there(s), wire, count, c);
  });
}

bool FakeDevice::apply(int index, void* stream, float* d, float* z, const void* s, const void* r, DType wire,
                       std::size_t count, float alpha, float beta) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::apply(there(d), there(z), there(s), there(r), wire, count, alpha, beta);
  });
}

bool FakeDevice::deliver(int index, void* stream, dynamics::Elements x, float* d, std::size_t count) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::deliver({there(x.data), x.dtype}, there(d), count);
  });
}

bool FakeDevice::assign(int index, void* stream, dynamics::Elements x, float* d, const float* value,
                        std::size_t count) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::assign({there(x.data), x.dtype}, there(d), there(value), count);
  });
}

bool FakeDevice::mix(int index, void* stream, float* d, float* z, std::size_t count, float c) {
  return enqueue(index, stream, [=, this] { dynamics::reference::mix(there(d), there(z), count, c); });
}

bool FakeDevice::invariant(int index, void* stream, dynamics::ConstElements x, const float* d, const float* z,
                           float* out, std::size_t count) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::invariant({there(x.data), x.dtype}, there(d), there(z), there(out), count);
  });
}

bool FakeDevice::widen(int index, void* stream, dynamics::ConstElements x, float* out, std::size_t count) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::widen({there(x.data), x.dtype}, there(out), count);
  });
}

bool FakeDevice::squared_distance(int index, void* stream, const void* s, const void* r, DType wire,
                                  std::size_t count, double* sum) {
  return enqueue(index, stream, [=, this] {
    *there(sum) += dynamics::reference::squared_distance(there(s), there(r), wire, count);
  });
}

bool FakeDevice::sketch(int index, void* stream, std::uint64_t key, dynamics::ConstElements x, const float* d,
                        std::size_t offset, std::size_t count, double* sums) {
  return enqueue(index, stream, [=, this] {
    dynamics::reference::sketch(key, {there(x.data), x.dtype}, there(d), offset, count, there(sums));
  });
}

}  // namespace duet::test
