#include "providers.h"

#include <rdma/fabric.h>
#include <rdma/fi_endpoint.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include "fabric_objects.h"

namespace duet::libfabric {

namespace {

/// What libfabric finds for a provider's name, whatever we need.
struct Offer {
  std::set<std::string> providers;
  std::set<int> endpoint_types;
};

Offer ask_libfabric(const std::string& provider) {
  const InfoPtr hints(fi_allocinfo());
  if (hints == nullptr) {
    return {};
  }
  // Everything that a caller could be asked for is conceded: what remains is what there is.
  hints->mode = ~std::uint64_t{0};
  hints->domain_attr->mr_mode = kOurRegistrationModes | FI_MR_ENDPOINT;
  if (!provider.empty()) {
    hints->fabric_attr->prov_name = strdup(provider.c_str());
  }
  fi_info* found = nullptr;
  if (fi_getinfo(kApiVersion, nullptr, nullptr, 0, hints.get(), &found) != 0) {
    return {};
  }
  const InfoPtr owner(found);
  Offer offer;
  for (const fi_info* entry = found; entry != nullptr; entry = entry->next) {
    const std::string name = entry->fabric_attr->prov_name;
    offer.providers.insert(name);
    if (name == provider) {
      offer.endpoint_types.insert(entry->ep_attr->type);
    }
  }
  return offer;
}

std::string join(const std::set<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "" : ", ") + name;
  }
  return list.empty() ? "none" : list;
}

}  // namespace

std::string explain_refusal(const Settings& settings) {
  const Offer offer = ask_libfabric(settings.provider);
  if (offer.endpoint_types.contains(FI_EP_MSG)) {
    return "its connection-oriented endpoints are not offered there (no IPv4, or not on that interface)";
  }
  if (offer.endpoint_types.contains(FI_EP_RDM)) {
    return "it has only connectionless endpoints (FI_EP_RDM), which do not tell that a peer has died; use "
           "provider=tcp";
  }
  if (!offer.endpoint_types.empty()) {
    return "it has only datagrams, which may be lost; use provider=tcp";
  }
  const char* filter = std::getenv("FI_PROVIDER");
  return "no such provider or no hardware for it; libfabric offers " + join(ask_libfabric("").providers) +
         (filter == nullptr ? "" : " (FI_PROVIDER=" + std::string(filter) + " is set)");
}

std::string provider_note(const std::string& provider) {
  static constexpr std::array<std::pair<const char*, const char*>, 1> kNotes = {{
      {"net", "never sleeps: a worker costs a core (libfabric 1.17)"},
  }};
  for (const auto& [name, note] : kNotes) {
    if (provider == name) {
      return note;
    }
  }
  return {};
}

}  // namespace duet::libfabric
