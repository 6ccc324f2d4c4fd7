#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "device/device.h"
#include "transport/transport.h"

namespace duet::transport {

/// The way of host memory through a device, for a transport that moves device memory only: what is sent is
/// copied there first, what is received is copied back behind it. So whoever exchanges host memory (tree
/// passes, and in meetings what is not on the transport's device) need not know.
///
/// Every message passes through a piece of pinned memory and one of device memory, which are its own until
/// the device and the transport have let go of both. The caller's memory is touched by this thread alone, so
/// an operation can end at its deadline whatever the device does. Pieces are kept for the next messages:
/// there are as many as were ever under way at once.
///
/// Nothing here waits: advance() looks at what the device has done. The context's thread alone. Throws
/// DeviceError when the device fails, ConfigurationError when it has no memory.
class HostPassage {
 public:
  explicit HostPassage(std::shared_ptr<device::Device> device);
  /// Once the transport has let go of all memory. Waits for the device's copies, for some seconds at most.
  ~HostPassage();
  HostPassage(const HostPassage&) = delete;
  HostPassage& operator=(const HostPassage&) = delete;

  const device::Device& device() const { return *device_; }

  /// As Connection's.
  bool send(Connection& connection, const void* data, std::uint64_t bytes, std::uint64_t deadline_ns,
            Completion done);
  bool receive(Connection& connection, void* data, std::uint64_t bytes, std::uint64_t deadline_ns,
               Completion done);
  /// Messages are on their way to the device that were sent before: what is in its memory already must not
  /// overtake them.
  bool holds_up(const Connection& connection) const { return departing_.contains(&connection); }
  /// The connection ends: what was not posted yet is cancelled, by the next advance().
  void close(const Connection& connection);

  /// Goes on with what the device has copied, and runs the callbacks of what has ended. Returns how many.
  std::size_t advance(std::uint64_t now_ns);
  /// Look again soon.
  bool busy() const { return !departing_.empty() || !arriving_.empty() || !ended_.empty(); }
  /// Operations that the transport does not know of: not yet, or no longer.
  std::size_t in_flight() const;

 private:
  struct Piece {
    ~Piece();
    std::shared_ptr<device::Device> device;
    std::size_t bytes = 0;
    device::Bytes here;   ///< pinned
    device::Bytes there;  ///< on the device
    device::Event moved;  ///< the last copy between the two
  };
  struct Departure {
    std::shared_ptr<Piece> piece;
    std::uint64_t bytes = 0;
    std::uint64_t deadline = 0;
    Completion done;
  };
  struct Arrival {
    std::shared_ptr<Piece> piece;
    void* data = nullptr;
    std::uint64_t bytes = 0;
    std::uint64_t deadline = 0;
    Completion done;
  };
  struct End {
    Completion done;
    duet_status status = DUET_OK;
    std::uint64_t bytes = 0;
  };
  std::shared_ptr<Piece> take(std::uint64_t bytes);
  duet_memory memory(const Piece& piece, std::uint64_t bytes) const;
  void depart(std::uint64_t now);
  void arrive(std::uint64_t now);

  std::shared_ptr<device::Device> device_;
  device::Stream outgoing_;
  device::Stream incoming_;
  std::vector<std::shared_ptr<Piece>> pieces_;
  std::map<const Connection*, std::deque<Departure>> departing_;  ///< none is empty
  std::deque<Arrival> arriving_;                                  ///< in the order of incoming_
  std::deque<End> ended_;
};

}  // namespace duet::transport
