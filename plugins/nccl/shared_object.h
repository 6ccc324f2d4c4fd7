#pragma once

#include <string>

namespace duet::nccl {

/// A library that is loaded at run time and never unloaded: its threads may outlive any of ours.
class SharedObject {
 public:
  /// Throws FailureError (DUET_NOT_SUPPORTED) with the loader's reason. `purpose`: for the message.
  SharedObject(const std::string& name, const std::string& purpose);

  /// Fills a function pointer. Throws FailureError (DUET_NOT_SUPPORTED) when the library lacks it.
  template <typename Function>
  void get(const char* symbol, Function*& function) const {
    function = reinterpret_cast<Function*>(find(symbol));
  }

 private:
  void* find(const char* symbol) const;
  std::string name_;
  void* handle_;
};

}  // namespace duet::nccl
