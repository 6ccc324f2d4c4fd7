#pragma once

#include <cstdint>
#include <future>
#include <set>
#include <string>
#include <vector>

#include "duet/options.h"
#include "duet/status.h"
#include "worker/liveness.h"
#include "worker/meeting_driver.h"
#include "worker/tree_runner.h"

namespace duet::worker {

/// The ending: with a synchronous algorithm, stay until everyone has the last step's average; say "finished"
/// and go on meeting, wait for the others, average, and stay until everyone has the average. Communication
/// thread only.
///
/// Who waits for whom: the first one that finish_timeout runs out for begins the average, and all that have
/// finished by then take part. Whoever cannot be reached in it goes on alone and is in nobody's way from then
/// on.
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
  enum class Stage { kIdle, kLastStep, kOthersTrain, kMeetingEnds, kAveraging, kOthersAverage, kDone };
  void say_finished(double now);
  void average(double now);
  void on_complete(double now);
  bool others_have_last_step() const;
  bool others_average() const;
  bool is_lowest() const;
  void note_result(std::vector<int> averaged, double squared_distance);
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
  std::uint64_t result_ = 0;         ///< MemberState::result
  std::set<std::uint64_t> earlier_;  ///< results that others held before this worker began to average
  double stage_deadline_ = 0.0;
  double average_deadline_ = 0.0;
};

}  // namespace duet::worker
