#include "shared_object.h"

#include <dlfcn.h>

#include "failure.h"

namespace duet::nccl {

SharedObject::SharedObject(const std::string& name, const std::string& purpose)
    : name_(name), handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  const char* why = dlerror();
  throw FailureError(DUET_NOT_SUPPORTED,
                     purpose + " cannot be loaded: " + (why == nullptr ? name : std::string(why)));
}

void* SharedObject::find(const char* symbol) const {
  void* const found = dlsym(handle_, symbol);
  if (found == nullptr)
    throw FailureError(DUET_NOT_SUPPORTED, name_ + " is too old: it lacks " + symbol + "()");
  return found;
}

}  // namespace duet::nccl
