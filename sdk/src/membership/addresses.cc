#include "membership/addresses.h"

namespace duet::membership {

bool AddressBook::set_mine(const std::string& address) {
  ServiceAddress& mine = addresses_[static_cast<std::size_t>(self_)];
  if (mine.address == address || address.size() > kLargestServiceAddress) return false;
  mine.address = address;
  ++mine.serial;
  return true;
}

void AddressBook::merge(const std::vector<ServiceAddress>& told) {
  for (const ServiceAddress& one : told) {
    if (one.rank == self_ || one.rank < 0 || static_cast<std::size_t>(one.rank) >= addresses_.size())
      continue;
    ServiceAddress& known = addresses_[static_cast<std::size_t>(one.rank)];
    if (one.serial > known.serial) known = one;
  }
}

std::vector<ServiceAddress> AddressBook::known() const {
  std::vector<ServiceAddress> known;
  for (const ServiceAddress& one : addresses_) {
    if (one.serial > 0) known.push_back(one);
  }
  return known;
}

}  // namespace duet::membership
