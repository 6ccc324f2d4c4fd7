#include "registration.h"

#include <iterator>
#include <utility>

namespace duet::libfabric {

RegistrationCache::Share RegistrationCache::share(const MemoryRange& range) {
  // The nearest one that begins at or before it. One further away may cover it, too, where registrations
  // overlap; missing that costs another registration and nothing else.
  const auto next = entries_.upper_bound(range.begin);
  if (next != entries_.begin()) {
    if (auto known = std::prev(next)->second.lock(); known != nullptr && known->range.covers(range)) {
      return Share(std::move(known));
    }
  }
  RegionPtr region = make_(range);
  const auto place = entries_.emplace(range.begin, std::weak_ptr<Share::Entry>());
  const auto forget = [this, place](Share::Entry* entry) {
    entries_.erase(place);
    delete entry;
  };
  std::shared_ptr<Share::Entry> entry(new Share::Entry{range, std::move(region)}, forget);
  place->second = entry;
  return Share(std::move(entry));
}

void* RegistrationCache::keep(const MemoryRange& range) {
  const std::uintptr_t handle = next_handle_++;
  kept_.emplace(handle, share(range));
  return reinterpret_cast<void*>(handle);  // NOLINT(performance-no-int-to-ptr): opaque, and never null
}

bool RegistrationCache::let_go(void* handle) {
  return kept_.erase(reinterpret_cast<std::uintptr_t>(handle)) == 1;
}

}  // namespace duet::libfabric
