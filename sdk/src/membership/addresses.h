#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace duet::membership {

/// Where a member has something to offer that it may open, move or close while it lives.
struct ServiceAddress {
  int rank = 0;
  std::uint32_t serial = 0;  ///< counted up by its owner at every change; the highest stands
  std::string address;       ///< empty: nowhere any more
  bool operator==(const ServiceAddress&) const = default;
};
constexpr std::size_t kLargestServiceAddress = 256;  ///< bytes

/// Those of all members, merged from what is heard: commutative, idempotent, and only the owner changes its
/// own. Pure; not thread-safe.
class AddressBook {
 public:
  AddressBook(int members, int self) : addresses_(static_cast<std::size_t>(members)), self_(self) {
    for (std::size_t i = 0; i < addresses_.size(); ++i)
      addresses_[i].rank = static_cast<int>(i);
  }
  /// False: it was that already, or is too long to tell.
  bool set_mine(const std::string& address);
  void merge(const std::vector<ServiceAddress>& told);
  /// What to tell: those that ever had one.
  std::vector<ServiceAddress> known() const;
  const std::string& of(int rank) const { return addresses_.at(static_cast<std::size_t>(rank)).address; }

 private:
  std::vector<ServiceAddress> addresses_;
  int self_;
};

}  // namespace duet::membership
