#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "duet/observer/source.h"
#include "recording_reader.h"

namespace duet::observer {

/// Plays a recording: hands out its frames when their time has come.
class ReplaySource final : public Source, public Playback {
 public:
  ReplaySource(const std::string& path, const ReplayOptions& options);

  bool take(double now, std::size_t most, std::vector<Arrival>& into) override;
  double time(double now) const override;
  SourceStatus status() const override;
  std::uint64_t generation() const override { return generation_; }
  Playback* playback() override { return this; }

  double begin() const override { return reader_.begin(); }
  double end() const override { return reader_.end(); }
  double position() const override { return position_; }
  bool playing() const override { return playing_; }
  void play() override;
  void pause() override { playing_ = false; }
  double speed() const override { return speed_; }
  void set_speed(double speed) override;
  void seek(double time) override;
  bool can_seek() const override { return true; }

 private:
  void restart_at(double time);

  RecordingReader reader_;
  std::string name_;
  ReplayOptions options_;
  bool playing_;
  double speed_;
  double position_;
  std::size_t next_ = 0;    ///< frame that is handed out next
  double taken_at_ = -1.0;  ///< `now` of the last take(); negative: there was none
  std::uint64_t generation_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::string problem_;
};

}  // namespace duet::observer
