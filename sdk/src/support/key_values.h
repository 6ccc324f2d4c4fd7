#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace duet::support {

using KeyValues = std::vector<std::pair<std::string, std::string>>;

/// "interface=eth1, port_range=29900-29999" → pairs, in their order. Blanks around keys and values do not
/// count; a value may hold '=', but no comma. Empty text: none. Throws ConfigurationError that names `what`
/// and the part that is wrong: no '=', an empty key or value, a key that is given twice.
KeyValues parse_key_values(std::string_view text, std::string_view what);

}  // namespace duet::support
