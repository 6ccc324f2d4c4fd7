// A libfabric provider for tests: tcp's data path, with the demands of network hardware. Every buffer must be
// registered (FI_MR_LOCAL), that of CUDA devices is taken too (FI_HMEM), and whoever breaks the rules is
// refused and counted. libfabric loads it from FI_PROVIDER_PATH; all objects are tcp's own, with some slots
// replaced.
#include "integration/libfabric/fakes/registering_provider.h"

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/providers/fi_prov.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace {

constexpr char kInner[] = "tcp";

struct Region {
  fid_mr mr{};  // first: libfabric's pointer is ours
  const char* begin = nullptr;
  std::size_t bytes = 0;
  bool alive = true;
};

std::mutex mutex;
RegisteringCounters counters;
/// What each operation in flight uses: by libfabric's context, with its endpoint.
std::map<void*, std::pair<const fid*, Region*>> in_flight;
/// All that ever were: a descriptor that is used too late must be seen, not crash.
std::vector<std::unique_ptr<Region>> regions;

// tcp's own slots.
fi_ops_fabric fabric_ops;
fi_ops_domain domain_ops;
fi_ops_msg msg_ops;
fi_ops_cq cq_ops;
fi_ops endpoint_fid_ops;
const fi_ops_fabric* inner_fabric_ops = nullptr;
const fi_ops_domain* inner_domain_ops = nullptr;
const fi_ops_msg* inner_msg_ops = nullptr;
const fi_ops_cq* inner_cq_ops = nullptr;
const fi_ops* inner_endpoint_fid_ops = nullptr;

/// As tcp would have offered it.
std::unique_ptr<fi_info, void (*)(fi_info*)> inner_info(const fi_info* info) {
  std::unique_ptr<fi_info, void (*)(fi_info*)> copy(fi_dupinfo(info), fi_freeinfo);
  copy->caps &= ~FI_HMEM;
  copy->domain_attr->mr_mode = 0;
  std::free(copy->fabric_attr->prov_name);
  copy->fabric_attr->prov_name = strdup(kInner);
  copy->handle = info->handle;
  return copy;
}

// ---- registration

int close_region(fid* object) {
  const std::lock_guard lock(mutex);
  Region& region = *reinterpret_cast<Region*>(object);
  for (const auto& [context, use] : in_flight)
    counters.violations += use.second == &region ? 1 : 0;
  region.alive = false;
  --counters.live;
  return 0;
}

fi_ops region_ops = [] {
  fi_ops ops{};
  ops.size = sizeof ops;
  ops.close = close_region;
  return ops;
}();

int register_attributes(fid* domain, const fi_mr_attr* attributes, std::uint64_t, fid_mr** out) {
  const std::lock_guard lock(mutex);
  if (domain->fclass != FI_CLASS_DOMAIN || attributes->iov_count != 1) return -FI_EINVAL;
  if (counters.fail_next > 0) {
    --counters.fail_next;
    return -FI_ENOMEM;
  }
  Region* const region = regions.emplace_back(std::make_unique<Region>()).get();
  region->begin = static_cast<const char*>(attributes->mr_iov->iov_base);
  region->bytes = attributes->mr_iov->iov_len;
  region->mr.fid.fclass = FI_CLASS_MR;
  region->mr.fid.ops = &region_ops;
  region->mr.mem_desc = region;
  counters.cuda += attributes->iface == FI_HMEM_CUDA ? 1 : 0;
  ++counters.registrations;
  ++counters.live;
  *out = &region->mr;
  return 0;
}

fi_ops_mr mr_ops = {sizeof(fi_ops_mr), nullptr, nullptr, register_attributes};

// ---- data

bool begin(fid_ep* endpoint, const void* data, std::size_t bytes, void* descriptor, void* context) {
  if (bytes == 0) return true;
  const std::lock_guard lock(mutex);
  auto* region = static_cast<Region*>(descriptor);
  const auto* from = static_cast<const char*>(data);
  const bool covered = region != nullptr && region->alive && from >= region->begin &&
                       from + bytes <= region->begin + region->bytes;
  if (!covered) {
    ++counters.violations;
    return false;
  }
  in_flight[context] = {&endpoint->fid, region};
  return true;
}

void end(void* context) {
  const std::lock_guard lock(mutex);
  in_flight.erase(context);
}

ssize_t send(fid_ep* endpoint, const void* data, std::size_t bytes, void* descriptor, fi_addr_t address,
             void* context) {
  if (!begin(endpoint, data, bytes, descriptor, context)) return -FI_EINVAL;
  const ssize_t code = inner_msg_ops->send(endpoint, data, bytes, nullptr, address, context);
  if (code != 0) end(context);
  return code;
}

ssize_t receive(fid_ep* endpoint, void* data, std::size_t bytes, void* descriptor, fi_addr_t address,
                void* context) {
  if (!begin(endpoint, data, bytes, descriptor, context)) return -FI_EINVAL;
  const ssize_t code = inner_msg_ops->recv(endpoint, data, bytes, nullptr, address, context);
  if (code != 0) end(context);
  return code;
}

ssize_t read_completions(fid_cq* queue, void* buffer, std::size_t count) {
  const ssize_t got = inner_cq_ops->read(queue, buffer, count);
  for (ssize_t index = 0; index < got; ++index)
    end(static_cast<fi_cq_msg_entry*>(buffer)[index].op_context);
  return got;
}

ssize_t read_error(fid_cq* queue, fi_cq_err_entry* entry, std::uint64_t flags) {
  const ssize_t got = inner_cq_ops->readerr(queue, entry, flags);
  if (got > 0) end(entry->op_context);
  return got;
}

/// What is in flight ends with its endpoint.
int close_endpoint(fid* object) {
  {
    const std::lock_guard lock(mutex);
    std::erase_if(in_flight, [&](const auto& use) { return use.second.first == object; });
  }
  return inner_endpoint_fid_ops->close(object);
}

// ---- objects

/// Puts a copy of tcp's table in its place; the caller then replaces slots of the copy. The table is the same
/// for all objects of a kind.
template <typename Ops>
void replace(Ops*& slot, Ops& ours, const Ops*& inner) {
  if (inner == nullptr) {
    inner = slot;
    ours = *slot;
  }
  slot = &ours;
}

int open_endpoint(fid_domain* domain, fi_info* info, fid_ep** out, void* context) {
  const int code = inner_domain_ops->endpoint(domain, inner_info(info).get(), out, context);
  if (code != 0) return code;
  const std::lock_guard lock(mutex);
  replace((*out)->msg, msg_ops, inner_msg_ops);
  msg_ops.send = send;
  msg_ops.recv = receive;
  replace((*out)->fid.ops, endpoint_fid_ops, inner_endpoint_fid_ops);
  endpoint_fid_ops.close = close_endpoint;
  return 0;
}

int open_queue(fid_domain* domain, fi_cq_attr* attributes, fid_cq** out, void* context) {
  const int code = inner_domain_ops->cq_open(domain, attributes, out, context);
  if (code != 0) return code;
  const std::lock_guard lock(mutex);
  replace((*out)->ops, cq_ops, inner_cq_ops);
  cq_ops.read = read_completions;
  cq_ops.readerr = read_error;
  return 0;
}

int open_domain(fid_fabric* fabric, fi_info* info, fid_domain** out, void* context) {
  const int code = inner_fabric_ops->domain(fabric, inner_info(info).get(), out, context);
  if (code != 0) return code;
  const std::lock_guard lock(mutex);
  replace((*out)->ops, domain_ops, inner_domain_ops);
  domain_ops.endpoint = open_endpoint;
  domain_ops.cq_open = open_queue;
  (*out)->mr = &mr_ops;
  return 0;
}

int open_passive(fid_fabric* fabric, fi_info* info, fid_pep** out, void* context) {
  return inner_fabric_ops->passive_ep(fabric, inner_info(info).get(), out, context);
}

int open_fabric(fi_fabric_attr* attributes, fid_fabric** out, void* context) {
  fi_fabric_attr inner = *attributes;
  char name[] = "tcp";
  inner.prov_name = name;
  const int code = fi_fabric(&inner, out, context);
  if (code != 0) return code;
  const std::lock_guard lock(mutex);
  replace((*out)->ops, fabric_ops, inner_fabric_ops);
  fabric_ops.domain = open_domain;
  fabric_ops.passive_ep = open_passive;
  return 0;
}

int get_info(std::uint32_t version, const char* node, const char* service, std::uint64_t flags,
             const fi_info* hints, fi_info** out) {
  const bool asked = hints != nullptr;
  if (asked && (hints->domain_attr == nullptr || (hints->domain_attr->mr_mode & FI_MR_LOCAL) == 0)) {
    return -FI_ENODATA;  // nobody may use this one without registering
  }
  std::unique_ptr<fi_info, void (*)(fi_info*)> inner(asked ? fi_dupinfo(hints) : fi_allocinfo(), fi_freeinfo);
  const bool hmem = (inner->caps & FI_HMEM) != 0;
  inner->caps &= ~FI_HMEM;
  std::free(inner->fabric_attr->prov_name);
  inner->fabric_attr->prov_name = strdup(kInner);
  const int code = fi_getinfo(version, node, service, flags, inner.get(), out);
  if (code != 0) return code;
  fi_info** link = out;
  while (*link != nullptr) {
    fi_info* entry = *link;
    if (std::strcmp(entry->fabric_attr->prov_name, kInner) != 0) {
      *link = entry->next;
      entry->next = nullptr;
      fi_freeinfo(entry);
      continue;
    }
    std::free(entry->fabric_attr->prov_name);
    entry->fabric_attr->prov_name = nullptr;  // libfabric fills in ours
    entry->domain_attr->mr_mode = FI_MR_LOCAL | (hmem ? FI_MR_HMEM : 0);
    if (hmem) entry->caps |= FI_HMEM;
    link = &entry->next;
  }
  return *out == nullptr ? -FI_ENODATA : 0;
}

void clean_up() {}

fi_provider provider = {FI_VERSION(1, 0), FI_VERSION(1, 17), {},      "registering",
                        get_info,         open_fabric,       clean_up};

}  // namespace

extern "C" __attribute__((visibility("default"))) fi_provider* fi_prov_ini() {
  return &provider;
}

extern "C" __attribute__((visibility("default"))) RegisteringCounters* registering_counters() {
  return &counters;
}
