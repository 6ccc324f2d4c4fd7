#pragma once

#include <rdma/fi_domain.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "fabric_objects.h"
#include "memory_range.h"

namespace duet::libfabric {

/// The registrations of a context, by address. A registration pins physical pages: one that outlives its
/// memory would make the network read and write pages that belong to something else by then. So it lasts
/// exactly as long as somebody vouches for the memory: an operation in flight (the buffer is lent to us), or
/// the host, between register_memory() and unregister_memory(). Whoever comes meanwhile with memory inside
/// shares it; nothing is kept for later, and so there is nothing to invalidate, and no more than what is in
/// flight or vouched for. One thread, as for the context.
class RegistrationCache {
 public:
  /// Registers with libfabric. Throws FailureError.
  using Register = std::function<RegionPtr(const MemoryRange&)>;
  explicit RegistrationCache(Register make) : make_(std::move(make)) {}
  RegistrationCache(const RegistrationCache&) = delete;
  RegistrationCache& operator=(const RegistrationCache&) = delete;

  /// A share in a registration; the last one ends it. Must not outlive the cache.
  class Share {
   public:
    Share() = default;
    /// What libfabric calls a descriptor; null: none was needed.
    void* descriptor() const { return entry_ == nullptr ? nullptr : fi_mr_desc(entry_->region.get()); }

   private:
    friend class RegistrationCache;
    struct Entry {
      MemoryRange range;
      RegionPtr region;
    };
    explicit Share(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;
  };

  Share share(const MemoryRange& range);

  /// The host's own share, under a handle.
  void* keep(const MemoryRange& range);
  /// false: no such handle. Operations that still use it keep theirs.
  bool let_go(void* handle);

  std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::multimap<std::uintptr_t, std::weak_ptr<Share::Entry>>;
  Register make_;
  Entries entries_;  ///< by begin
  std::map<std::uintptr_t, Share> kept_;
  std::uintptr_t next_handle_ = 1;
};

}  // namespace duet::libfabric
