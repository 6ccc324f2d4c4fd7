#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "device/backend.h"

namespace duet::test {

/// A device without hardware, and as asynchronous as one: every stream is a thread that executes what was
/// enqueued on it, later, with pauses at random; nothing is executed early, and only events order one stream
/// after another. So a wait that is missing is a race, which ThreadSanitizer reports, or a wrong result. What
/// it calls device memory cannot be touched by the host at all (it is mapped without permissions; the streams
/// know another mapping of the same pages): whoever tries crashes. The passes are the reference's loops.
///
/// It complains (complaints()) when work touches memory that was freed, or copies to or from host memory that
/// is not pinned.
class FakeDevice final : public device::Backend {
 public:
  explicit FakeDevice(int devices);
  ~FakeDevice();

  // ---- for tests
  /// Waits until nothing is enqueued.
  void drain();
  /// Where the host may look at device memory while nothing is enqueued.
  void* alias(const void* memory);
  std::vector<std::string> complaints();
  /// The next allocations of device memory fail; or everything does from now on, as after a fault.
  void run_out_of_memory(bool yes) { out_of_memory_ = yes; }
  void break_down(const std::string& why);
  /// What is enqueued from now on is not executed before release(): to see what waits for it.
  void hold(void* stream, int index = 0);
  void release(void* stream, int index = 0);
  /// The same for all streams that there are.
  void hold_all(bool yes);
  std::size_t allocations();  ///< of device and pinned memory that were not freed
  /// Is told of all device memory, also what there is already: where it is, and where the host finds it
  /// (null: it is freed now). For a driver's or transport's double beside this one.
  using Watcher = std::function<void(void* memory, std::size_t bytes, void* alias)>;
  void watch(Watcher watcher);

  // ---- device::Backend
  const char* failure() const override;
  bool count(int* devices) override;
  bool describe(int index, char* text, std::size_t bytes) override;
  int owner(const void* data) override;
  bool allocate(int index, std::size_t bytes, void** memory) override;
  void deallocate(int index, void* memory) override;
  bool allocate_pinned(int index, std::size_t bytes, void** memory) override;
  void deallocate_pinned(int index, void* memory) override;
  bool make_stream(int index, void** stream) override;
  void destroy_stream(int index, void* stream) override;
  bool make_event(int index, void** event) override;
  void destroy_event(int index, void* event) override;
  bool record(int index, void* event, void* stream) override;
  bool wait(int index, void* stream, void* event) override;
  device::Progress query(int index, void* event) override;
  bool copy(int index, void* stream, void* to, const void* from, std::size_t bytes,
            device::Direction direction) override;
  bool clear(int index, void* stream, void* memory, std::size_t bytes) override;
  bool snapshot(int index, void* stream, dynamics::ConstElements x, float* d, float* z, void* s, DType wire,
                std::size_t count, float c) override;
  bool apply(int index, void* stream, float* d, float* z, const void* s, const void* r, DType wire,
             std::size_t count, float alpha, float beta) override;
  bool deliver(int index, void* stream, dynamics::Elements x, float* d, std::size_t count) override;
  bool assign(int index, void* stream, dynamics::Elements x, float* d, const float* value,
              std::size_t count) override;
  bool mix(int index, void* stream, float* d, float* z, std::size_t count, float c) override;
  bool invariant(int index, void* stream, dynamics::ConstElements x, const float* d, const float* z,
                 float* out, std::size_t count) override;
  bool widen(int index, void* stream, dynamics::ConstElements x, float* out, std::size_t count) override;
  bool squared_distance(int index, void* stream, const void* s, const void* r, DType wire, std::size_t count,
                        double* sum) override;
  bool sketch(int index, void* stream, std::uint64_t key, dynamics::ConstElements x, const float* d,
              std::size_t offset, std::size_t count, double* sums) override;

 private:
  class Stream;
  struct Event;
  struct Region {
    std::size_t bytes = 0;
    std::byte* alias = nullptr;
    int index = 0;
    bool pinned = false;
  };
  Stream& stream_of(int index, void* stream);
  bool enqueue(int index, void* stream, std::function<void()> work);
  void complain(const std::string& what);
  template <class T>
  T* there(T* memory);  // where a stream's thread finds device memory; null, and a complaint: nowhere
  void* find(const void* memory, bool pinned);

  int devices_;
  std::mutex mutex_;  // guards what follows
  std::map<const std::byte*, Region> regions_;
  std::map<void*, std::unique_ptr<Stream>> streams_;
  std::vector<std::unique_ptr<Stream>> default_streams_;
  std::map<void*, std::shared_ptr<Event>> events_;
  std::vector<std::string> complaints_;
  Watcher watcher_;
  std::string broken_;
  std::atomic<bool> out_of_memory_{false};
};

}  // namespace duet::test
