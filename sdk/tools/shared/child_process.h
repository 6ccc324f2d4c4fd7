#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace duet::tools {

/// Called in the child with a text without line breaks, which the parent then has.
using Say = std::function<void(const std::string& line)>;

/// Runs `body` in a child process, so that whatever it does to its process is a report and not the end of
/// this one. on_line gets each line that it says, in this process. Returns an empty text when `body`
/// returned, or what became of it: "crashed (signal 11, Segmentation fault)", "ended the process (exit code
/// 0)", "threw an exception: …", "did not come back within 2000 ms and was stopped". patience: from one line
/// to the next. What `body` prints goes to standard error. Throws duet::Error when there is no child to be
/// had. Only from a process without other threads: the child begins as a copy of this one.
std::string run_in_child(const std::function<void(const Say&)>& body, std::chrono::milliseconds patience,
                         const std::function<void(const std::string&)>& on_line);

}  // namespace duet::tools
