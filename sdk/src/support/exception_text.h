#pragma once

#include <string>

namespace duet::support {

/// In a catch block: what the exception says, one that is no std::exception included.
std::string exception_text();

}  // namespace duet::support
