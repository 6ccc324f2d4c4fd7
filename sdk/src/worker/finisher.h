#pragma once

#include <future>
#include <optional>

#include "duet/options.h"
#include "duet/status.h"
#include "worker/liveness.h"
#include "worker/meeting_driver.h"
#include "worker/tree_runner.h"

namespace duet::worker {

/// The ending: say "finished" and go on meeting, wait for the others, average, and stay until everyone has
/// the average. Communication thread only.
class Finisher {
 public:
  /// meetings: null with a synchronous algorithm.
  Finisher(const Options& options, Liveness& liveness, MeetingDriver* meetings, TreeRunner& runner);

  void start(double now, std::promise<FinishResult> promise);
  bool active() const { return stage_ != Stage::kIdle && stage_ != Stage::kDone; }
  void advance(double now);
  double next_deadline(double now) const;
  /// The thread ends early: whoever waits is told why.
  void fail(const std::string& why);

 private:
  enum class Stage { kIdle, kOthersTrain, kMeetingEnds, kAveraging, kOthersAverage, kDone };
  void average(double now);
  bool others_average() const;
  void conclude();

  const Options& options_;
  Liveness& liveness_;
  MeetingDriver* meetings_;
  TreeRunner& runner_;
  Stage stage_ = Stage::kIdle;
  std::promise<FinishResult> promise_;
  bool has_result_ = false;
  bool alone_ = false;  ///< nobody could be reached: the average is this worker's own position
  std::vector<int> averaged_;
  double stage_deadline_ = 0.0;
  double average_deadline_ = 0.0;
};

}  // namespace duet::worker
