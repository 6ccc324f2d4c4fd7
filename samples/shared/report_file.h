#pragma once

#include <filesystem>
#include <string>

namespace samples {

/// Throws ConfigurationError when a report could not be written there: better now than after the run.
void require_writable(const std::filesystem::path& file);

/// Throws Error. A regular file, or one that is not there yet, appears as a whole: whoever waits for it never
/// sees half of it. Anything else (a device, a pipe, /dev/stdout) stays what it is and is written to in
/// place.
void write_report(const std::filesystem::path& file, const std::string& text);

}  // namespace samples
