#pragma once

#include <functional>
#include <string>

namespace duet::transport {

/// Runs a call into a plugin that nobody has tried yet here: loading it, its entry point, its probe.
///
/// An exception that comes out of it is caught, and returned as a text: "threw an exception while it was
/// probed: …". Empty: there was none. A crash cannot be survived by this process, but it is explained: before
/// the process ends as it would have, standard error names the plugin, what it was doing, and what to do.
/// While the call runs, this thread's fatal signals pass through a handler of ours for that, and then go
/// where they would have gone; one such call at a time in a process, so keep it short. Handlers that the call
/// installs for any signal are taken out again. what: "while it was probed".
std::string guest_call(const std::string& path, const char* what, const std::function<void()>& call);

/// While it lives, guest calls of this thread write nothing about crashes: for a child process whose parent
/// reports what became of it.
class NoCrashNotes {
 public:
  explicit NoCrashNotes(bool active = true);
  ~NoCrashNotes();
  NoCrashNotes(const NoCrashNotes&) = delete;
  NoCrashNotes& operator=(const NoCrashNotes&) = delete;

 private:
  bool before_;
};

}  // namespace duet::transport
