#include "fabric_objects.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <set>

#include "endpoint_address.h"
#include "failure.h"

namespace duet::libfabric {

namespace {

constexpr std::uint32_t kApiVersion = FI_VERSION(1, 17);

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

/// Which providers there are, and whether `wanted` is one: for the message only, so no error of its own.
std::string explain_absence(const std::string& wanted) {
  fi_info* found = nullptr;
  std::set<std::string> names;
  if (fi_getinfo(kApiVersion, nullptr, nullptr, 0, nullptr, &found) == 0) {
    const InfoPtr owner(found);
    for (const fi_info* entry = found; entry != nullptr; entry = entry->next) {
      names.insert(entry->fabric_attr->prov_name);
    }
  }
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "" : ", ") + name;
  }
  const char* filter = std::getenv("FI_PROVIDER");
  const std::string hint = filter == nullptr ? "" : " (FI_PROVIDER=" + std::string(filter) + " is set)";
  if (names.contains(wanted)) {
    return "it has no connection-oriented endpoints (FI_EP_MSG) there, which this plugin needs; use "
           "provider=tcp";
  }
  return "there is no such provider; libfabric offers " + (list.empty() ? "none" : list) + hint;
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

InfoPtr Fabric::find(const Settings& settings) {
  const InfoPtr hints = make_hints();
  hints->caps = FI_MSG;
  hints->addr_format = FI_SOCKADDR_IN;
  hints->ep_attr->type = FI_EP_MSG;
  // Manual progress: with "auto" the tcp provider starts threads. They are not needed, as the host polls or
  // sleeps.
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
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
  const int code = fi_getinfo(kApiVersion, nullptr, nullptr, 0, hints.get(), &found);
  InfoPtr info(found);
  // libfabric answers FI_PROVIDER-like names generously ("tcp" also finds "tcp;ofi_rxm"): insist on the one
  // asked for.
  while (info != nullptr && info->fabric_attr->prov_name != settings.provider) {
    fi_info* rest = info->next;
    info->next = nullptr;
    info.reset(rest);
  }
  if (info == nullptr) {
    const int reason = code != 0 ? std::abs(code) : FI_ENODATA;
    throw FailureError(Failure{DUET_NOT_SUPPORTED, reason,
                               "libfabric cannot use " + settings.describe() + ": " +
                                   explain_absence(settings.provider) + " [" + fabric_error_text(reason) +
                                   "]"});
  }
  return info;
}

Fabric::Fabric(const Settings& settings) : descriptor_(epoll_create1(EPOLL_CLOEXEC)), info_(find(settings)) {
  if (descriptor_.get() < 0) {
    fail("epoll_create1", errno);
  }
  fid_fabric* fabric = nullptr;
  check(fi_fabric(info_->fabric_attr, &fabric, nullptr), "fi_fabric(" + settings.describe() + ")");
  fabric_.reset(fabric);

  fi_eq_attr event_attributes{};
  event_attributes.wait_obj = FI_WAIT_FD;
  fid_eq* events = nullptr;
  check(fi_eq_open(fabric, &event_attributes, &events, nullptr), "fi_eq_open");
  events_.reset(events);

  fid_domain* domain = nullptr;
  check(fi_domain(fabric, info_.get(), &domain, nullptr), "fi_domain(" + settings.describe() + ")");
  domain_.reset(domain);

  fi_cq_attr completion_attributes{};
  completion_attributes.format = FI_CQ_FORMAT_MSG;
  completion_attributes.wait_obj = FI_WAIT_FD;
  completion_attributes.size = 1024;
  fid_cq* completions = nullptr;
  check(fi_cq_open(domain, &completion_attributes, &completions, nullptr), "fi_cq_open");
  completions_.reset(completions);

  for (fid* queue : {&events->fid, &completions->fid}) {
    int descriptor = -1;
    check(fi_control(queue, FI_GETWAIT, &descriptor), "fi_control(FI_GETWAIT)");
    epoll_event interest{};
    interest.events = EPOLLIN;
    if (epoll_ctl(descriptor_.get(), EPOLL_CTL_ADD, descriptor, &interest) != 0) {
      fail("epoll_ctl", errno);
    }
    completions_descriptor_ = descriptor;
  }
  listen(settings);
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

std::uint64_t Fabric::largest_message(const fi_info& info) {
  const std::uint64_t bytes = info.ep_attr->max_msg_size;
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
