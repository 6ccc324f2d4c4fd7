#pragma once

#include <string>

#include "settings.h"

namespace duet::libfabric {

/// Why libfabric's provider of that name cannot be used with these settings: for people, asked of libfabric.
std::string explain_refusal(const Settings& settings);

/// What is known about a provider from trying it, to be told beside "experimental"; empty: nothing.
std::string provider_note(const std::string& provider);

}  // namespace duet::libfabric
