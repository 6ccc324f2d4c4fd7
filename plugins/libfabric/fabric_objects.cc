#include "fabric_objects.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "cuda_driver.h"
#include "endpoint_address.h"
#include "failure.h"
#include "providers.h"

namespace duet::libfabric {

namespace {

[[noreturn]] void fail(const std::string& what, int code) {
  throw FailureError(
      Failure{DUET_BROKEN, std::abs(code), "libfabric: " + what + ": " + fabric_error_text(code)});
}

void check(int code, const std::string& what) {
  if (code != 0) {
    fail(what, code);
  }
}

InfoPtr make_hints() {
  InfoPtr hints(fi_allocinfo());
  if (hints == nullptr) {
    fail("fi_allocinfo", FI_ENOMEM);
  }
  return hints;
}

sockaddr_in as_address(const Settings& settings, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = settings.address;
  address.sin_port = htons(port);
  return address;
}

/// One that can do what we need with these settings, or null. device_memory: that of CUDA devices, too.
InfoPtr find(const Settings& settings, bool device_memory, int& code) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG | (device_memory ? FI_HMEM : 0);
  hints->addr_format = FI_SOCKADDR_IN;
  hints->ep_attr->type = FI_EP_MSG;
  // Manual progress: with "auto" the tcp provider starts threads. They are not needed, as the host polls or
  // sleeps.
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->domain_attr->mr_mode = kOurRegistrationModes;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  // A send ends when its data are in the peer's receive. Without this the tcp provider reports success while
  // the tail still sits in its staging buffer, which fi_close() throws away: the last block of a meeting
  // could be lost although both sides did everything right.
  hints->tx_attr->op_flags = FI_DELIVERY_COMPLETE;
  hints->fabric_attr->prov_name = strdup(settings.provider.c_str());
  const sockaddr_in local = as_address(settings, 0);
  hints->src_addr = std::malloc(sizeof local);
  if (hints->src_addr == nullptr || hints->fabric_attr->prov_name == nullptr) {
    fail("fi_getinfo", FI_ENOMEM);
  }
  std::memcpy(hints->src_addr, &local, sizeof local);
  hints->src_addrlen = sizeof local;

  fi_info* found = nullptr;
  code = fi_getinfo(kApiVersion, nullptr, nullptr, 0, hints.get(), &found);
  InfoPtr info(found);
  // libfabric answers FI_PROVIDER-like names generously ("tcp" also finds "tcp;ofi_rxm"): insist on the one
  // asked for.
  while (info != nullptr && info->fabric_attr->prov_name != settings.provider) {
    fi_info* rest = info->next;
    info->next = nullptr;
    info.reset(rest);
  }
  return info;
}

[[noreturn]] void refuse(const Settings& settings, int code) {
  const int reason = code != 0 ? std::abs(code) : FI_ENODATA;
  throw FailureError(Failure{DUET_NOT_SUPPORTED, reason,
                             "libfabric cannot use " + settings.describe() + ": " +
                                 explain_refusal(settings) + " [" + fabric_error_text(reason) + "]"});
}

}  // namespace

void close_fid(fid* object, const char* what) noexcept {
  const int code = fi_close(object);
  if (code != 0) {
    Host::log(DUET_LOG_WARNING,
              "libfabric: a " + std::string(what) + " could not be closed: " + fabric_error_text(code));
  }
}

Descriptor::~Descriptor() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

Fabric::Fabric(const Settings& settings) : descriptor_(epoll_create1(EPOLL_CLOEXEC)) {
  if (descriptor_.get() < 0) {
    fail("epoll_create1", errno);
  }
  int code = 0;
  // Device memory only where there is a device: what is asked for beyond need may cost another provider's
  // path.
  const bool has_device = CudaDriver::get() != nullptr;
  if (has_device) {
    info_ = find(settings, true, code);
  }
  const bool offers_device_memory = info_ != nullptr;
  if (info_ == nullptr) {
    info_ = find(settings, false, code);
  }
  if (info_ == nullptr) {
    refuse(settings, code);
  }
  try {
    open(settings);
  } catch (const FailureError& error) {
    throw FailureError(Failure{DUET_NOT_SUPPORTED, error.failure().system_error,
                               "libfabric cannot use " + settings.describe() + ": " + error.failure().text});
  }
  moves_cuda_memory_ = offers_device_memory && try_cuda_memory();
}

void Fabric::open(const Settings& settings) {
  fid_fabric* fabric = nullptr;
  check(fi_fabric(info_->fabric_attr, &fabric, nullptr), "fi_fabric(" + settings.describe() + ")");
  fabric_.reset(fabric);

  fi_eq_attr event_attributes{};
  event_attributes.wait_obj = FI_WAIT_FD;
  fid_eq* events = nullptr;
  check(fi_eq_open(fabric, &event_attributes, &events, nullptr), "an event queue to wait for (fi_eq_open)");
  events_.reset(events);

  fid_domain* domain = nullptr;
  check(fi_domain(fabric, info_.get(), &domain, nullptr), "fi_domain(" + settings.describe() + ")");
  domain_.reset(domain);

  fi_cq_attr completion_attributes{};
  completion_attributes.format = FI_CQ_FORMAT_MSG;
  completion_attributes.wait_obj = FI_WAIT_FD;
  completion_attributes.size = 1024;
  fid_cq* completions = nullptr;
  check(fi_cq_open(domain, &completion_attributes, &completions, nullptr),
        "a completion queue to wait for (fi_cq_open)");
  completions_.reset(completions);

  for (fid* queue : {&events->fid, &completions->fid}) {
    int descriptor = -1;
    check(fi_control(queue, FI_GETWAIT, &descriptor),
          std::string("a descriptor to sleep on, of the ") +
              (queue == &events->fid ? "event queue" : "completion queue") + " (FI_GETWAIT)");
    epoll_event interest{};
    interest.events = EPOLLIN;
    if (epoll_ctl(descriptor_.get(), EPOLL_CTL_ADD, descriptor, &interest) != 0) {
      fail("epoll_ctl", errno);
    }
    completions_descriptor_ = descriptor;
  }
}

bool Fabric::needs_registration(std::int32_t kind) const {
  return kind == DUET_MEMORY_CUDA || (info_->domain_attr->mr_mode & FI_MR_LOCAL) != 0;
}

RegionPtr Fabric::register_memory(const MemoryRange& range) {
  iovec memory{reinterpret_cast<void*>(range.begin), range.bytes};  // NOLINT(performance-no-int-to-ptr)
  fi_mr_attr attributes{};
  attributes.mr_iov = &memory;
  attributes.iov_count = 1;
  attributes.access = FI_SEND | FI_RECV;
  attributes.requested_key = next_key_++;
  if (range.kind == DUET_MEMORY_CUDA) {
    attributes.iface = FI_HMEM_CUDA;
    attributes.device.cuda = range.device;
  }
  fid_mr* region = nullptr;
  const int code = fi_mr_regattr(domain_.get(), &attributes, 0, &region);
  if (code != 0) {
    const bool memory_limit = code == -FI_ENOMEM && range.kind == DUET_MEMORY_HOST;
    throw FailureError(Failure{DUET_NOT_SUPPORTED, std::abs(code),
                               "libfabric: " + std::to_string(range.bytes) + " bytes of " +
                                   (range.kind == DUET_MEMORY_CUDA ? "device" : "host") +
                                   " memory cannot be registered: " + fabric_error_text(code) +
                                   (memory_limit ? "; raise the limit on locked memory" : "")});
  }
  return RegionPtr(region);
}

/// FI_HMEM does not say which makes of devices: whether CUDA is among them shows when memory is registered.
bool Fabric::try_cuda_memory() {
  constexpr std::uint64_t kBytes = 65536;
  try {
    const std::shared_ptr<void> memory = CudaDriver::get()->allocate(0, kBytes);
    register_memory({reinterpret_cast<std::uintptr_t>(memory.get()), kBytes, DUET_MEMORY_CUDA, 0});
    return true;
  } catch (const FailureError& error) {
    Host::log(DUET_LOG_DEBUG, "libfabric: no CUDA memory: " + error.failure().text);
    return false;
  }
}

void Fabric::listen(const Settings& settings) {
  const std::uint32_t ports = settings.last_port - settings.first_port + 1u;
  // Start anywhere in the range: workers that start together should not all fight for its first port.
  std::uint32_t offset = ports > 1 ? std::random_device{}() % ports : 0;
  int code = 0;
  for (std::uint32_t attempt = 0; attempt < ports; ++attempt, offset = (offset + 1) % ports) {
    const InfoPtr info(fi_dupinfo(info_.get()));
    if (info == nullptr) {
      fail("fi_dupinfo", FI_ENOMEM);
    }
    const sockaddr_in local = as_address(settings, static_cast<std::uint16_t>(settings.first_port + offset));
    std::memcpy(info->src_addr, &local, sizeof local);
    fid_pep* opened = nullptr;
    code = fi_passive_ep(fabric_.get(), info.get(), &opened, nullptr);
    if (code != 0) {
      continue;
    }
    PassiveEndpointPtr passive(opened);
    check(fi_pep_bind(opened, &events_->fid, 0), "fi_pep_bind");
    code = fi_listen(opened);
    if (code != 0) {
      continue;
    }
    std::size_t length = sizeof address_;
    check(fi_getname(&opened->fid, &address_, &length), "fi_getname");
    passive_ = std::move(passive);
    return;
  }
  const std::string range = settings.first_port == 0 ? "any port"
                                                     : "ports " + std::to_string(settings.first_port) +
                                                           " to " + std::to_string(settings.last_port);
  fail("cannot listen with " + settings.describe() + ", " + range, code);
}

std::uint64_t Fabric::largest_message() const {
  const std::uint64_t bytes = info_->ep_attr->max_msg_size;
  return bytes > std::numeric_limits<std::int64_t>::max() ? 0 : bytes;
}

bool Fabric::may_sleep() {
  fid* queues[] = {&events_->fid, &completions_->fid};
  return fi_trywait(fabric_.get(), queues, 2) == 0;
}

void Fabric::watch(bool news) {
  if (watching_news_ == news) {
    return;
  }
  epoll_event interest{};
  interest.events = news ? EPOLLIN | EPOLLET : EPOLLIN;
  if (epoll_ctl(descriptor_.get(), EPOLL_CTL_MOD, completions_descriptor_, &interest) != 0) {
    fail("epoll_ctl", errno);
  }
  watching_news_ = news;
}

void Fabric::clear_news() {
  if (watching_news_) {
    epoll_event event{};
    epoll_wait(descriptor_.get(), &event, 1, 0);
  }
}

EndpointPtr Fabric::open_endpoint(fi_info& info) {
  fid_ep* opened = nullptr;
  check(fi_endpoint(domain_.get(), &info, &opened, nullptr), "fi_endpoint");
  EndpointPtr endpoint(opened);
  check(fi_ep_bind(opened, &events_->fid, 0), "fi_ep_bind(event queue)");
  check(fi_ep_bind(opened, &completions_->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind(completion queue)");
  check(fi_enable(opened), "fi_enable");
  return endpoint;
}

EndpointPtr Fabric::connect(const sockaddr_in& to, std::span<const std::byte> greeting) {
  EndpointPtr endpoint = open_endpoint(*info_);
  check(fi_connect(endpoint.get(), &to, greeting.data(), greeting.size()), "fi_connect");
  return endpoint;
}

EndpointPtr Fabric::accept(fi_info& request) {
  // The request's info is a copy of the listening one, without what was asked for above.
  request.tx_attr->op_flags = info_->tx_attr->op_flags;
  EndpointPtr endpoint = open_endpoint(request);
  check(fi_accept(endpoint.get(), nullptr, 0), "fi_accept");
  return endpoint;
}

void Fabric::reject(fi_info& request) noexcept {
  fi_reject(passive_.get(), request.handle, nullptr, 0);
  request.handle = nullptr;
}

}  // namespace duet::libfabric
