#pragma once

#include <cstddef>
#include <vector>

#include "view.h"

namespace duet::top {

/// The terminal, by curses: the whole screen from construction to destruction, however the program ends. One
/// of it; all calls from one thread.
class Terminal {
 public:
  /// Throws ConfigurationError: input or output is no terminal, or $TERM names none that is known.
  explicit Terminal(bool colours);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::size_t columns() const;
  std::size_t rows() const;
  void draw(const std::vector<Line>& lines);
  /// Waits for a key, at most `seconds`; kNone: none came, or the window has another size now.
  KeyPress read(double seconds);

 private:
  int attributes(Style style) const;
  bool colours_ = false;
  void* screen_ = nullptr;
};

}  // namespace duet::top
