#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "demo_world.h"
#include "duet/observer/source.h"
#include "telemetry/frame.h"

namespace duet::observer {

/// The demo's workers, as frames that come when their virtual time has come.
class DemoSource final : public Source, public Playback {
 public:
  explicit DemoSource(const DemoOptions& options);

  bool take(double now, std::size_t most, std::vector<Arrival>& into) override;
  double time(double now) const override;
  SourceStatus status() const override;
  Playback* playback() override { return this; }

  double begin() const override { return options_.start; }
  double end() const override;
  double position() const override { return options_.start + position_; }
  bool playing() const override { return playing_; }
  void play() override { playing_ = true; }
  void pause() override { playing_ = false; }
  double speed() const override { return speed_; }
  void set_speed(double speed) override;
  void seek(double /*time*/) override {}
  bool can_seek() const override { return false; }

 private:
  struct Due {
    double time = 0.0;  ///< seconds from the start
    int rank = 0;
    bool header = false;
    bool operator<(const Due& other) const {  // the queue hands out its greatest: the earliest
      return time != other.time ? time > other.time : rank > other.rank;
    }
  };
  struct Voice {  ///< what a worker's frames need beside the world
    Incarnation incarnation;
    std::uint64_t sequence = 0;
    std::uint64_t tick_told = 0;
    std::uint64_t losses = 0;
  };
  static constexpr double kDelay = 0.002;  ///< from a worker to here

  telemetry::Frame frame(int rank, double time);
  telemetry::FrameHeader header(int rank) const;
  telemetry::FrameState state(int rank, double time);

  DemoOptions options_;
  /// A header names every worker and edge: of many, each is told less often.
  double header_interval_;
  DemoWorld world_;
  std::vector<Voice> voices_;
  std::priority_queue<Due> due_;
  double position_;  ///< seconds from the start
  double speed_ = 1.0;
  bool playing_ = true;
  double taken_at_ = -1.0;  ///< negative: there was no take() yet
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace duet::observer
