#pragma once

#include <cstdint>
#include <string>

#include "transport/transport.h"

/// Settings that a worker adds on its own, because it knows better than a transport's defaults. A transport
/// need not know them: what it refuses is left out.
namespace duet::transport {

/// Adds key = value unless the key is there already or the transport knows no such setting. The value is
/// certainly a right one.
void add_setting(const Transport& transport, Settings& settings, const std::string& key,
                 const std::string& value);

/// "interface" = `address`, one of this machine's. For a run whose control sockets are on `address`: a
/// transport that would choose for itself might choose an interface, such as loopback, on which the others
/// cannot reach it.
void add_interface(const Transport& transport, Settings& settings, const std::string& address);

/// What the transport says that it can do with these settings, also where it is not viable.
std::uint64_t capabilities_of(const Transport& transport, const Settings& settings);

}  // namespace duet::transport
