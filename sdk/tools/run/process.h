#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace duet::run {

/// A file descriptor, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

/// A child in a process group of its own (a signal meant for it also reaches what it started), with nothing
/// to read and with pipes for what it writes.
struct Process {
  pid_t id = -1;
  Descriptor output;  ///< to read; does not block
  Descriptor error;
};

/// Starts it and returns when it runs. It is killed when this process dies, however that happens. Throws
/// std::system_error when there is no room for it, or it cannot be executed.
Process start_process(const std::string& path, const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment);

/// Blocks the signals that the caller takes from a descriptor instead. Children start with what was there
/// before.
void block_signals();
/// The signals of block_signals(), and SIGCHLD, as signalfd_siginfo to read.
Descriptor open_signals();

/// Room for `count` descriptors, as far as the system lets us; children keep the old limit.
void make_room_for_descriptors(int count);

/// Gives 0, 1 and 2 something to refer to where the caller closed them, so that no pipe ends up there.
void fill_standard_descriptors();

}  // namespace duet::run
