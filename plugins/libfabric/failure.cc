#include "failure.h"

#include <rdma/fi_errno.h>

#include <cstdlib>

namespace duet::libfabric {

std::string fabric_error_text(int code) {
  const int positive = std::abs(code);
  return std::string(fi_strerror(positive)) + " (" + std::to_string(positive) + ")";
}

}  // namespace duet::libfabric
