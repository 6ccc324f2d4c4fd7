#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "duet/plugin/transport.h"

/// What Duet's own plugins have in common at their boundary. Compiled into each of them: a plugin is one file
/// that needs nothing but the C header, and each keeps the services that its own host handed in.
namespace duet::plugins {

/// Why something did not work, in the ABI's terms.
struct Failure {
  duet_status status = DUET_OK;
  int system_error = 0;  ///< errno, or the positive code of the library that failed; 0: none
  std::string text;
};

/// A Failure on its way to the boundary; never crosses it.
class FailureError : public std::runtime_error {
 public:
  explicit FailureError(Failure failure) : std::runtime_error(failure.text), failure_(std::move(failure)) {}
  FailureError(duet_status status, const std::string& text) : FailureError(Failure{status, 0, text}) {}
  const Failure& failure() const { return failure_; }

 private:
  Failure failure_;
};

/// Writes into the host's struct (may be null), cutting the text to its room.
void write_error(const Failure& failure, duet_error* error);
/// Copies at most bytes - 1 characters and terminates.
void copy_text(const std::string& text, char* to, std::size_t bytes);

/// The host's services: set once, before anything else runs. Thread-safe.
class Host {
 public:
  /// false: they lack what a plugin cannot do without (the clock).
  static bool set_services(const duet_services* services);
  static void log(int level, const std::string& text) noexcept;
  static std::uint64_t now_ns();
  static void count(const char* name) noexcept;
};

}  // namespace duet::plugins
