#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace duet::run {

/// Cuts a stream of bytes into lines and puts a prefix before each, so that lines of several streams can be
/// mixed and told apart.
class Prefixer {
 public:
  explicit Prefixer(std::string prefix) : prefix_(std::move(prefix)) {}

  /// Appends to `out` all lines that `bytes` completes.
  void feed(std::string_view bytes, std::string& out);
  /// The last line, if it did not end: it is ended here.
  void finish(std::string& out);

  /// A longer line is cut: memory is bounded, whatever a program writes.
  static constexpr std::size_t kLongestLine = std::size_t{1} << 20;

 private:
  void emit(std::string_view end_of_line, std::string& out);

  std::string prefix_;
  std::string begun_;
};

}  // namespace duet::run
