#pragma once

namespace duet::run {

/// A TCP port of 127.0.0.1 that nobody has at this moment. Throws std::runtime_error when there is none.
int find_free_port();

}  // namespace duet::run
