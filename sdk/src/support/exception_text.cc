#include "support/exception_text.h"

#include <exception>

namespace duet::support {

std::string exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of a type that is no std::exception";
  }
}

}  // namespace duet::support
