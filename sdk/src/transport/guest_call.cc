#include "transport/guest_call.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "support/exception_text.h"
#include "support/log.h"

namespace duet::transport {
namespace {

constexpr std::array<int, 5> kFatal = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// What the handler reads: written before it is installed, and by one CrashNote at a time.
std::atomic<pid_t> guarded_thread = 0;
std::array<char, 1024> note_text;
std::size_t note_length = 0;
std::array<struct sigaction, kFatal.size()> previous;

/// Says what happened and steps back, so that the signal ends where it would have ended without us.
void handle(int signal, siginfo_t* info, void* /*context*/) {
  if (::gettid() == guarded_thread.load(std::memory_order_relaxed)) {
    [[maybe_unused]] const ssize_t wrote = ::write(STDERR_FILENO, note_text.data(), note_length);
  }
  for (std::size_t i = 0; i < kFatal.size(); ++i) {
    if (kFatal[i] == signal) ::sigaction(signal, &previous[i], nullptr);
  }
  // A fault happens again as soon as we return; what somebody sent (abort() does) has to be sent again.
  if (info == nullptr || info->si_code <= 0) ::raise(signal);
}

class CrashNote {
 public:
  explicit CrashNote(const std::string& text) {
    note_length = std::min(text.size(), note_text.size());
    std::memcpy(note_text.data(), text.data(), note_length);
    guarded_thread = ::gettid();
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    for (std::size_t i = 0; i < kFatal.size(); ++i)
      ::sigaction(kFatal[i], &action, &previous[i]);
  }
  ~CrashNote() {
    for (std::size_t i = 0; i < kFatal.size(); ++i)
      ::sigaction(kFatal[i], &previous[i], nullptr);
    guarded_thread = 0;
  }
  CrashNote(const CrashNote&) = delete;
  CrashNote& operator=(const CrashNote&) = delete;
};

/// What a library does to the process's signal handlers while it is loaded or set up is undone: how a program
/// ends is for its embedder to say. (PSM, which libfabric brings along, has SIGINT and SIGTERM end it with
/// code 1 and without a word.)
class KeptSignalHandlers {
 public:
  KeptSignalHandlers() {
    for (std::size_t signal = 1; signal < before_.size(); ++signal)
      known_[signal] = ::sigaction(static_cast<int>(signal), nullptr, &before_[signal]) == 0;
  }
  ~KeptSignalHandlers() {
    for (std::size_t signal = 1; signal < before_.size(); ++signal) {
      struct sigaction now {};
      if (!known_[signal] || ::sigaction(static_cast<int>(signal), nullptr, &now) != 0) continue;
      if (now.sa_handler != before_[signal].sa_handler)
        ::sigaction(static_cast<int>(signal), &before_[signal], nullptr);
    }
  }
  KeptSignalHandlers(const KeptSignalHandlers&) = delete;
  KeptSignalHandlers& operator=(const KeptSignalHandlers&) = delete;

 private:
  std::array<struct sigaction, NSIG> before_{};
  std::array<bool, NSIG> known_{};
};

thread_local bool no_notes = false;

std::mutex& call_mutex() {
  static std::mutex* const mutex = new std::mutex;
  return *mutex;
}

}  // namespace

std::string guest_call(const std::string& path, const char* what, const std::function<void()>& call) {
  const std::lock_guard lock(call_mutex());
  const KeptSignalHandlers kept;
  std::optional<CrashNote> note;
  if (!no_notes) {
    note.emplace(
        fmt::format("duet: the transport plugin {} crashed {}. Choose another transport, or repair or remove "
                    "the plugin: duet-plugin-check tells its author more\n",
                    path, what));
  }
  try {
    call();
  } catch (...) {
    return fmt::format("threw an exception {}: {}", what, support::exception_text());
  }
  return {};
}

NoCrashNotes::NoCrashNotes(bool active) : before_(std::exchange(no_notes, active || no_notes)) {}

NoCrashNotes::~NoCrashNotes() {
  no_notes = before_;
}

}  // namespace duet::transport
