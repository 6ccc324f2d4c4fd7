#pragma once

#include <mutex>
#include <string>

#include "duet/observer/observer.h"
#include "run_view.h"

namespace duet::exporter {

/// The observer of a run, followed by one thread and looked at by those that serve pages.
class RunWatch {
 public:
  /// Throws ConfigurationError when the address is none, or the secret cannot be used.
  RunWatch(const observer::LiveOptions& live, const RunViewOptions& options);

  /// Takes what has come. True: there is more. One thread. Throws Error when nothing can come any more.
  bool poll();
  /// What there is to say about the connection, when it became another; else empty. That same thread.
  std::string take_news();
  RunView view() const;  ///< any thread

 private:
  const RunViewOptions options_;
  mutable std::mutex mutex_;
  observer::Observer observer_;  ///< under the mutex
  observer::SourceState told_ = observer::SourceState::kConnecting;
  std::string told_run_;
};

}  // namespace duet::exporter
