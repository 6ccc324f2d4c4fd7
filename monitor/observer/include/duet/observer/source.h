#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duet/export.h"

/// Where frames come from: live workers, a recording, or synthetic workers. One interface, so that whatever
/// draws a run does not care.
namespace duet::observer {

/// One telemetry frame of a worker, as it arrived.
struct Arrival {
  double time = 0.0;  ///< Unix seconds, on the observer's clock (in a recording: of who recorded)
  std::string bytes;
};

enum class SourceKind : std::uint8_t { kLive, kReplay, kDemo, kOther };
enum class SourceState : std::uint8_t {
  kConnecting,    ///< live: nobody was heard yet
  kRunning,       ///< frames come
  kReconnecting,  ///< live: nobody is heard any more; tries go on
  kPaused,        ///< replay, demo
  kEnded,         ///< replay: at its end (or where the file breaks off); live: it failed, text says why
};
DUET_API const char* to_string(SourceState state);

struct SourceStatus {
  SourceKind kind = SourceKind::kOther;
  SourceState state = SourceState::kConnecting;
  std::string name;  ///< "127.0.0.1:29800", "run.duetrec", "demo, 16 workers"
  std::string
      text;  ///< a sentence where there is something to say: whom one waits for, where a file breaks off
  std::uint64_t frames = 0;  ///< handed out
  std::uint64_t bytes = 0;
  std::uint64_t dropped = 0;       ///< the reader was too slow: the oldest went
  int connections = 0;             ///< live: workers that are subscribed to
  std::optional<double> retry_in;  ///< live: seconds until the next try
};

/// How a source is played that is not bound to the present. Times are Unix seconds of the run.
class DUET_API Playback {
 public:
  virtual ~Playback();
  virtual double begin() const = 0;
  virtual double end() const = 0;  ///< infinity: goes on for ever (demo)
  virtual double position() const = 0;
  virtual bool playing() const = 0;
  virtual void play() = 0;  ///< at the end: from the beginning
  virtual void pause() = 0;
  virtual double speed() const = 0;
  /// Clamped to 0.1 … 100.
  virtual void set_speed(double speed) = 0;
  /// Clamped to begin … end. Hands out again what happened before `time` (at most `history` seconds of it),
  /// so that plots are full: the observer begins a new generation.
  virtual void seek(double time) = 0;
  virtual bool can_seek() const = 0;

  static constexpr double kSlowest = 0.1;
  static constexpr double kFastest = 100.0;
};

/// All calls from one thread, the observer's. None of them waits: what takes time happens on a thread that
/// the source has of its own.
class DUET_API Source {
 public:
  virtual ~Source();
  /// Appends what is due at `now` (seconds, monotonic, on whatever clock the caller has), at most `most`
  /// arrivals, in order. True: there is more.
  virtual bool take(double now, std::size_t most, std::vector<Arrival>& into) = 0;
  /// The run's time at `now`, Unix seconds: all ages are counted from it.
  virtual double time(double now) const = 0;
  virtual SourceStatus status() const = 0;
  /// Counts how often the source began anew; a change makes the observer forget what it has.
  virtual std::uint64_t generation() const { return 0; }
  /// nullptr: bound to the present.
  virtual Playback* playback() { return nullptr; }
};

/// A worker's telemetry address, checked.
struct DUET_API Address {
  std::string host;
  int port = 0;
  std::string text() const;  ///< "host:port", "[::1]:29800"
};
constexpr int kTelemetryPort = 29800;  ///< of local rank 0; others count up
/// "host", "host:port", "tcp://host:port", "1.2.3.4:29801", "[::1]:29800"; without a port, kTelemetryPort.
/// nullopt, and *reason a sentence for the person who types.
DUET_API std::optional<Address> parse_address(const std::string& text, std::string* reason = nullptr);

/// A run's secret as programs are told it: the first line of `file`, or, without a file, what the variable
/// DUET_SECRET holds; empty: there is none. Throws ConfigurationError when the file has no such line.
DUET_API std::string read_secret(const std::string& file = {});

struct LiveOptions {
  std::string address = {};  ///< any one worker's telemetry; the others are found through it
  /// The run's secret (Options::secret), where it has one: telemetry is then encrypted.
  std::string secret = {};
  std::size_t most_bytes =
      64u << 20;            ///< of frames that wait for take(); beyond, the oldest go and are counted
  int most_workers = 4096;  ///< that are subscribed to
  /// Nobody heard for this long: reconnect, after 0.5 s, then twice as long each time, up to 10 s.
  double silence = 5.0;
};
/// Returns at once; connects on its own thread and goes on trying for as long as it lives. Throws
/// ConfigurationError when the address is none.
DUET_API std::unique_ptr<Source> make_live_source(const LiveOptions& options);

struct ReplayOptions {
  double history = 600.0;  ///< seconds before the target that seek() hands out again
  bool playing = true;
  double speed = 1.0;
};
/// Reads the whole file once, for its index. Throws ConfigurationError: no such file, not a recording, a
/// newer version (names both). One that breaks off is opened up to there, and status().text says so.
DUET_API std::unique_ptr<Source> make_replay_source(const std::string& path,
                                                    const ReplayOptions& options = {});

/// Something that goes wrong in the demo, once.
enum class Trouble : std::uint8_t {
  kDies,       ///< and returns under a new incarnation `duration` later
  kStalls,     ///< frames come, steps do not
  kStraggles,  ///< four times slower
  kDeadEdge,   ///< does not meet `peer`
  kNonFinite,  ///< its parameters blow up
  kPartition,  ///< the workers from `rank` on are cut off from the others
};
struct DemoTrouble {
  double at = 0.0;  ///< seconds from the start
  double duration = 20.0;
  Trouble what = Trouble::kStalls;
  int rank = 0;
  int peer = -1;
};
struct DemoOptions {
  int workers = 16;                  ///< 1 … 1,024
  std::string graph = "ring";        ///< as Topology::make() takes it
  std::string algorithm = "a2cid2";  ///< or "adpsgd"
  double rate = 1.0;
  double steps_per_second = 5.0;
  double frames_per_second = 5.0;
  std::uint64_t seed = 1;
  double start = 1.7e9;  ///< Unix seconds at which the run begins
  /// Seconds that have passed when the demo begins: its plots are full at once.
  double warm_up = 0.0;
  bool standard_troubles = true;      ///< one of each kind, in turns, again and again, drawn from the seed
  std::vector<DemoTrouble> troubles;  ///< besides
  double speed = 1.0;
};
/// Synthetic workers: the SDK's own meeting protocol and dynamics, in virtual time, on a small model. The
/// same seed and the same times of take() give the same frames. Throws ConfigurationError for options that
/// make no graph.
DUET_API std::unique_ptr<Source> make_demo_source(const DemoOptions& options = {});

}  // namespace duet::observer
