#include "view.h"

#include <algorithm>
#include <cmath>

namespace duet::top {
namespace {

constexpr std::size_t kLongestFilter = 40;

void move(View& view, const observer::Snapshot& snapshot, long by) {
  const std::vector<int> ranks = rows(snapshot, view.sorted_by, view.inverted, view.filter);
  if (ranks.empty()) return;
  const auto found = std::find(ranks.begin(), ranks.end(), view.selected);
  const long at = found == ranks.end() ? 0 : static_cast<long>(found - ranks.begin());
  const long last = static_cast<long>(ranks.size()) - 1;
  view.selected = ranks[static_cast<std::size_t>(std::clamp(at + by, 0L, last))];
}

void sort_by(View& view, int column) {
  view.sorted_by = static_cast<Column>((column + kColumns) % kColumns);
  view.inverted = false;
}

void edit(View& view, KeyPress key) {
  switch (key.key) {
    case Key::kText:
      if (view.filter.size() < kLongestFilter) view.filter.push_back(key.text);
      break;
    case Key::kBackspace:
      if (!view.filter.empty()) view.filter.pop_back();
      break;
    case Key::kEnter:
      view.editing = false;
      break;
    case Key::kEscape:
      view.filter.clear();
      view.editing = false;
      break;
    default:
      break;
  }
}

Wish press_text(View& view, char text) {
  switch (text) {
    case 'q':
      return Wish::kQuit;
    case 'h':
    case '?':
      view.help = true;
      break;
    case '/':
      view.editing = true;
      view.filter.clear();
      break;
    case 'p':
      view.paused = !view.paused;
      break;
    case ' ':
      return Wish::kPlayPause;
    case '+':
      return Wish::kFaster;
    case '-':
      return Wish::kSlower;
    case '<':
      sort_by(view, static_cast<int>(view.sorted_by) - 1);
      break;
    case '>':
      sort_by(view, static_cast<int>(view.sorted_by) + 1);
      break;
    case 'I':
      view.inverted = !view.inverted;
      break;
    default:
      break;
  }
  return Wish::kNothing;
}

}  // namespace

Wish press(View& view, KeyPress key, const observer::Snapshot& snapshot) {
  if (key.key == Key::kQuit) return Wish::kQuit;
  if (view.help) {  // any key leaves it
    if (key.key != Key::kNone) view.help = false;
    return Wish::kNothing;
  }
  if (view.editing && key.key != Key::kUp && key.key != Key::kDown) {
    edit(view, key);
    return Wish::kNothing;
  }
  const auto page = static_cast<long>(std::max<std::size_t>(1, view.page));
  const auto all = static_cast<long>(snapshot.workers.size());
  switch (key.key) {
    case Key::kUp:
      move(view, snapshot, -1);
      break;
    case Key::kDown:
      move(view, snapshot, 1);
      break;
    case Key::kPageUp:
      move(view, snapshot, -page);
      break;
    case Key::kPageDown:
      move(view, snapshot, page);
      break;
    case Key::kHome:
      move(view, snapshot, -all);
      break;
    case Key::kEnd:
      move(view, snapshot, all);
      break;
    case Key::kHelp:
      view.help = true;
      break;
    case Key::kSort:
      sort_by(view, static_cast<int>(view.sorted_by) + 1);
      break;
    case Key::kTab:
    case Key::kEnter:
      view.panel = view.panel == Panel::kNews ? Panel::kPeers : Panel::kNews;
      break;
    case Key::kEscape:
      view.filter.clear();
      break;
    case Key::kText:
      return press_text(view, key.text);
    default:
      break;
  }
  return Wish::kNothing;
}

void History::add(const observer::ConsensusSample& sample) {
  if (values_.size() >= kMost) values_.erase(values_.begin(), values_.begin() + kMost / 2);
  values_.push_back(sample.mean);
}

std::string History::bars(std::size_t width) const {
  static constexpr std::string_view kBars = "_.-:=+*#";
  const std::size_t count = std::min(width, values_.size());
  const auto first = values_.end() - static_cast<std::ptrdiff_t>(count);
  double low = 0.0, high = 0.0;
  bool any = false;
  for (auto it = first; it != values_.end(); ++it) {
    if (!std::isfinite(*it) || *it <= 0.0) continue;
    const double value = std::log(*it);
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  std::string text;
  for (auto it = first; it != values_.end(); ++it) {
    if (!std::isfinite(*it)) {
      text.push_back('!');
      continue;
    }
    const double share = *it > 0.0 && high > low ? (std::log(*it) - low) / (high - low) : 0.0;
    text.push_back(
        kBars[static_cast<std::size_t>(std::lround(share * static_cast<double>(kBars.size() - 1)))]);
  }
  return text;
}

}  // namespace duet::top
