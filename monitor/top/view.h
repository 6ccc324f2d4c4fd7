#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "duet/observer/snapshot.h"
#include "duet/observer/source.h"
#include "table.h"

/// What the person at the terminal has chosen, and what a key does to it. Pure.
namespace duet::top {

enum class Key : std::uint8_t {
  kNone,
  kText,
  kUp,
  kDown,
  kPageUp,
  kPageDown,
  kHome,
  kEnd,
  kEnter,
  kEscape,
  kBackspace,
  kHelp,
  kSort,
  kTab,
  kQuit,
};
struct KeyPress {
  Key key = Key::kNone;
  char text = 0;  ///< kText: a printable ASCII character
};

enum class Panel : std::uint8_t { kNews, kPeers };

struct View {
  Column sorted_by = Column::kRank;
  bool inverted = false;
  int selected = 0;  ///< rank
  std::string filter;
  bool editing = false;  ///< the filter
  bool paused = false;   ///< the picture stands still; data goes on arriving
  bool help = false;
  Panel panel = Panel::kNews;
  std::size_t page = 10;  ///< rows of the table that the last picture had
};

/// What a key asks of the program, beyond the view.
enum class Wish : std::uint8_t { kNothing, kQuit, kPlayPause, kFaster, kSlower };

Wish press(View& view, KeyPress key, const observer::Snapshot& snapshot);

/// The newest values of the consensus distance, for the line of little bars.
class History {
 public:
  void add(const observer::ConsensusSample& sample);
  void clear() { values_.clear(); }
  /// The newest `width` of them, as characters from low to high on a logarithmic scale.
  std::string bars(std::size_t width) const;

 private:
  static constexpr std::size_t kMost = 512;
  std::vector<double> values_;
};

struct Picture {
  const observer::Snapshot& snapshot;
  const observer::SourceStatus& status;
  const History& history;
  /// What is said beside the source's own state: "recording run.duetrec, 12.3 MB", "4x".
  std::string note;
};

/// Every line of the screen, none longer than `columns`, exactly `rows` of them. Says in view.page how many
/// rows of the table there are.
std::vector<Line> paint(const Picture& picture, View& view, std::size_t columns, std::size_t rows);

}  // namespace duet::top
