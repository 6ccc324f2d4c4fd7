#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Addresses as they are written in settings. Nothing is resolved here.
namespace duet::options {

inline constexpr int kSeedPort = 29650;

/// localhost, 127.0.0.0/8 or ::1, with or without brackets. A name that only resolves to one of them is not
/// known to be.
bool is_loopback(std::string_view host);
/// 0.0.0.0 or ::
bool is_any(std::string_view host);

/// "seed://host:port", the host possibly an IPv6 address in brackets (which the result keeps).
struct Seed {
  std::string host;
  int port = 0;
};
std::optional<Seed> parse_seed(std::string_view text);
std::string write_seed(std::string_view host, int port);

}  // namespace duet::options
