#include <stdexcept>

extern "C" void throw_an_exception() {
  throw std::runtime_error("nobody caught me");
}
