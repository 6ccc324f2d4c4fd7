#pragma once

#include <netinet/in.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "memory_range.h"
#include "settings.h"

/// Owners of libfabric's objects. libfabric refuses to close what something else still uses, so owners must
/// be declared parents first, and a refusal (a leak) is logged.
namespace duet::libfabric {

inline constexpr std::uint32_t kApiVersion = FI_VERSION(1, 17);
/// What providers may demand of us in matters of registration. All but the first and the last concern remote
/// access, which we do not use, or are met by memory that exists.
inline constexpr int kOurRegistrationModes =
    FI_MR_LOCAL | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_VIRT_ADDR | FI_MR_HMEM;

void close_fid(fid* object, const char* what) noexcept;

struct CloseFabric {
  void operator()(fid_fabric* object) const noexcept { close_fid(&object->fid, "fabric"); }
};
struct CloseDomain {
  void operator()(fid_domain* object) const noexcept { close_fid(&object->fid, "domain"); }
};
struct CloseEventQueue {
  void operator()(fid_eq* object) const noexcept { close_fid(&object->fid, "event queue"); }
};
struct CloseCompletionQueue {
  void operator()(fid_cq* object) const noexcept { close_fid(&object->fid, "completion queue"); }
};
struct ClosePassiveEndpoint {
  void operator()(fid_pep* object) const noexcept { close_fid(&object->fid, "passive endpoint"); }
};
struct CloseEndpoint {
  void operator()(fid_ep* object) const noexcept { close_fid(&object->fid, "endpoint"); }
};
struct CloseRegion {
  void operator()(fid_mr* object) const noexcept { close_fid(&object->fid, "memory registration"); }
};
struct FreeInfo {
  void operator()(fi_info* info) const noexcept { fi_freeinfo(info); }
};

using FabricPtr = std::unique_ptr<fid_fabric, CloseFabric>;
using DomainPtr = std::unique_ptr<fid_domain, CloseDomain>;
using EventQueuePtr = std::unique_ptr<fid_eq, CloseEventQueue>;
using CompletionQueuePtr = std::unique_ptr<fid_cq, CloseCompletionQueue>;
using PassiveEndpointPtr = std::unique_ptr<fid_pep, ClosePassiveEndpoint>;
using EndpointPtr = std::unique_ptr<fid_ep, CloseEndpoint>;
using RegionPtr = std::unique_ptr<fid_mr, CloseRegion>;
using InfoPtr = std::unique_ptr<fi_info, FreeInfo>;

/// A file descriptor of our own.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// The libfabric objects that all connections of a context share. Opened for connection-oriented endpoints
/// with manual progress: nothing happens but in calls of ours, no thread is started.
class Fabric {
 public:
  /// Opens all but the listening endpoint. Throws FailureError (DUET_NOT_SUPPORTED: no such provider here, or
  /// one that cannot do what is needed) with libfabric's reason.
  explicit Fabric(const Settings& settings);
  /// Throws FailureError (DUET_BROKEN) with the ports that were tried.
  void listen(const Settings& settings);

  const sockaddr_in& address() const { return address_; }
  /// In the ABI's terms: 0: unlimited.
  std::uint64_t largest_message() const;
  /// Whether memory of that kind (DUET_MEMORY_*) must be registered before it is posted.
  bool needs_registration(std::int32_t kind) const;
  /// Whether the provider moves the memory of CUDA devices: tried, not believed.
  bool moves_cuda_memory() const { return moves_cuda_memory_; }
  /// Throws FailureError (DUET_NOT_SUPPORTED).
  RegionPtr register_memory(const MemoryRange& range);
  fid_cq& completions() { return *completions_; }
  fid_eq& events() { return *events_; }
  /// Readable when a queue may have something.
  int descriptor() const { return descriptor_.get(); }
  /// Whether libfabric agrees to a sleep on descriptor() now. The tcp provider refuses for as long as a
  /// message waits for its receive, and then also leaves the descriptor readable.
  bool may_sleep();
  /// Make descriptor() readable while there is something (as usual), or once for each news: what lets us
  /// sleep in spite of such a refusal. clear_news() then ends a readable state.
  void watch_levels() { watch(false); }
  void watch_news() { watch(true); }
  void clear_news();

  /// An enabled endpoint that begins to connect, with `greeting` for the other side.
  EndpointPtr connect(const sockaddr_in& to, std::span<const std::byte> greeting);
  /// Takes the connection that `request` (of FI_CONNREQ) asks for.
  EndpointPtr accept(fi_info& request);
  void reject(fi_info& request) noexcept;

 private:
  void open(const Settings& settings);
  bool try_cuda_memory();
  void watch(bool news);
  EndpointPtr open_endpoint(fi_info& info);

  Descriptor descriptor_;
  InfoPtr info_;
  FabricPtr fabric_;
  EventQueuePtr events_;
  DomainPtr domain_;
  CompletionQueuePtr completions_;
  PassiveEndpointPtr passive_;
  sockaddr_in address_{};
  int completions_descriptor_ = -1;
  std::uint64_t next_key_ = 1;  ///< of registrations: some providers want them unique
  bool moves_cuda_memory_ = false;
  bool watching_news_ = false;
};

}  // namespace duet::libfabric
