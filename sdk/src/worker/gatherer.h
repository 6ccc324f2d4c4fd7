#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <string>

#include "control/messages.h"
#include "duet/options.h"
#include "worker/liveness.h"
#include "worker/postbox.h"

namespace duet::worker {

/// gather(): everyone sends a text to the lowest live rank until it is acknowledged; that one waits for all
/// who live. Communication thread only.
class Gatherer {
 public:
  using Texts = std::map<int, std::string>;
  Gatherer(const Options& options, Liveness& liveness, Postbox& postbox);

  void start(double now, std::string text, double timeout, std::promise<Texts> promise);
  void on_part(int from, const control::Part& part);
  void on_received(int from, const control::PartReceived& received);
  void advance(double now);
  double next_deadline() const;
  void fail(const std::string& why);

 private:
  int lowest() const;
  void finish(Texts texts);

  const Options& options_;
  Liveness& liveness_;
  Postbox& postbox_;
  bool active_ = false;
  std::uint64_t round_ = 0;
  std::string text_;
  int collector_ = 0;  ///< the lowest live rank when the round began; changes only if it dies
  bool acknowledged_ = false;
  double deadline_ = 0.0;
  double next_send_ = 0.0;
  double resend_interval_ = 0.0;  ///< doubled after each time
  std::promise<Texts> promise_;
  /// By round: parts may come before this worker's own call.
  std::map<std::uint64_t, Texts> parts_;
};

}  // namespace duet::worker
