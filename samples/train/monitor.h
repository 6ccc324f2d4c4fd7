#pragma once

#include <chrono>
#include <vector>

#include "duet/torch/trainer.h"
#include "report.h"

namespace samples {

/// Watches one worker's run: the trace for the report, and a line per second by the lowest live rank.
class Monitor {
 public:
  Monitor(duet::torch::Trainer& trainer, bool print_progress);

  /// After every step.
  void look();
  double seconds() const;
  const std::vector<TracePoint>& trace() const { return trace_; }

 private:
  void record(const duet::RunStatus& status, double now);
  void print(const duet::RunStatus& status, double now);
  bool lowest_live_rank() const;

  duet::torch::Trainer& trainer_;
  bool print_progress_;
  std::chrono::steady_clock::time_point start_;
  std::vector<TracePoint> trace_;
  std::uint64_t last_tick_ = 0;
  double last_record_ = 0.0;
  double last_print_ = 0.0;
  std::uint64_t last_meetings_ = 0;
};

}  // namespace samples
