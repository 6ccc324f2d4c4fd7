#include "failure.h"

#include <system_error>

namespace duet::nccl {

std::string system_error_text(int error) {
  return std::generic_category().message(error) + " (" + std::to_string(error) + ")";
}

}  // namespace duet::nccl
