#include "dashboard/window/theme.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace duet::dashboard {

namespace {

using Map = std::array<QColor, 6>;

// Okabe and Ito; yellow and black are replaced by what can be seen on either background, and where two of
// them would be one without red or green receptors, their lightness tells them apart.
constexpr std::array<const char*, 8> kHuesOnLight{"#0072b2", "#cc5500", "#009e73", "#b0588e",
                                                  "#c98a00", "#3f9bd1", "#5a4a00", "#5c5c5c"};
constexpr std::array<const char*, 8> kHuesOnDark{"#4ba3dc", "#f0803c", "#2fc39a", "#dc93bf",
                                                 "#ecb13a", "#8fd0f5", "#ded35c", "#c9c9c9"};

// cividis, sampled; its ends shifted so that they stand out from the surfaces.
const Map kHeatOnLight{QColor("#f2f4f7"), QColor("#d9d3a0"), QColor("#b8a97a"),
                       QColor("#7f8078"), QColor("#4a5a75"), QColor("#0b2a5b")};
const Map kHeatOnDark{QColor("#1c222b"), QColor("#1f3a68"), QColor("#53607a"),
                      QColor("#868479"), QColor("#bfab66"), QColor("#fde945")};

QColor mix(const QColor& from, const QColor& to, double share) {
  share = std::clamp(share, 0.0, 1.0);
  const auto part = [share](int a, int b) { return static_cast<int>(std::lround(a + (b - a) * share)); };
  return {part(from.red(), to.red()), part(from.green(), to.green()), part(from.blue(), to.blue()),
          part(from.alpha(), to.alpha())};
}

QColor sample(const Map& map, double share) {
  if (!std::isfinite(share)) share = 0.0;
  const double place = std::clamp(share, 0.0, 1.0) * (map.size() - 1);
  const auto index = std::min(static_cast<std::size_t>(place), map.size() - 2);
  return mix(map[index], map[index + 1], place - static_cast<double>(index));
}

QColor translucent(QColor color, int alpha) {
  color.setAlpha(alpha);
  return color;
}

}  // namespace

QString to_string(ThemeChoice choice) {
  switch (choice) {
    case ThemeChoice::kLight:
      return QStringLiteral("light");
    case ThemeChoice::kDark:
      return QStringLiteral("dark");
    case ThemeChoice::kSystem:
      break;
  }
  return QStringLiteral("system");
}

std::optional<ThemeChoice> parse_theme(const QString& text) {
  for (const ThemeChoice choice : {ThemeChoice::kSystem, ThemeChoice::kLight, ThemeChoice::kDark}) {
    if (text == to_string(choice)) return choice;
  }
  return std::nullopt;
}

Theme Theme::light() {
  Theme theme;
  theme.window = "#eef0f3";
  theme.surface = "#ffffff";
  theme.raised = "#f5f7f9";
  theme.text = "#1b232c";
  theme.muted = "#566370";
  theme.grid = "#e3e7eb";
  theme.frame = "#c3cad2";
  theme.accent = "#1f6fb2";
  theme.on_accent = "#ffffff";
  theme.mean = "#10181f";
  theme.band = translucent(QColor("#0072b2"), 46);
  theme.bound = "#9a4a00";
  theme.tip = translucent(QColor("#ffffff"), 236);
  return theme;
}

Theme Theme::dark() {
  Theme theme;
  theme.is_dark = true;
  theme.window = "#14181e";
  theme.surface = "#1b2028";
  theme.raised = "#222934";
  theme.text = "#e4e9ef";
  theme.muted = "#9aa7b5";
  theme.grid = "#2a323d";
  theme.frame = "#3b4653";
  theme.accent = "#4ba3dc";
  theme.on_accent = "#0d1116";
  theme.mean = "#f4f7fa";
  theme.band = translucent(QColor("#4ba3dc"), 58);
  theme.bound = "#f0a35e";
  theme.tip = translucent(QColor("#222934"), 240);
  return theme;
}

Theme Theme::choose(ThemeChoice choice, const QPalette& system) {
  if (choice == ThemeChoice::kLight) return light();
  if (choice == ThemeChoice::kDark) return dark();
  return system.color(QPalette::WindowText).lightness() > system.color(QPalette::Window).lightness()
             ? dark()
             : light();
}

QColor Theme::rank(int rank) const {
  const auto& hues = is_dark ? kHuesOnDark : kHuesOnLight;
  const int number = std::max(rank, 0);
  const QColor hue(hues[static_cast<std::size_t>(number) % hues.size()]);
  switch (number / static_cast<int>(hues.size()) % 3) {
    case 1:
      return mix(hue, surface, 0.32);
    case 2:
      return mix(hue, text, 0.38);
    default:
      return hue;
  }
}

QColor Theme::tone(Tone tone) const {
  switch (tone) {
    case Tone::kGood:
      return is_dark ? QColor("#2fc39a") : QColor("#00785a");
    case Tone::kNotice:
      return is_dark ? QColor("#8fd0f5") : QColor("#1f6fb2");
    case Tone::kWarning:
      return is_dark ? QColor("#ecb13a") : QColor("#8f5f00");
    case Tone::kBad:
      return is_dark ? QColor("#ff8a5c") : QColor("#b8420a");
    case Tone::kAbsent:
      break;
  }
  return muted;
}

QColor Theme::tone_surface(Tone tone_of) const {
  return mix(surface, tone(tone_of), is_dark ? 0.20 : 0.13);
}

QColor Theme::age(double share) const {
  const QColor fresh = is_dark ? QColor("#4fd3f0") : QColor("#0072b2");
  const QColor middle = is_dark ? QColor("#8b8f7a") : QColor("#8f8a74");
  const QColor old = is_dark ? QColor("#f0803c") : QColor("#d55e00");
  if (!std::isfinite(share)) share = 1.0;
  return share < 0.5 ? mix(fresh, middle, share * 2) : mix(middle, old, share * 2 - 1);
}

QColor Theme::heat(double share) const {
  return sample(is_dark ? kHeatOnDark : kHeatOnLight, share);
}

QColor Theme::readable_on(const QColor& background) {
  const double luminance =
      0.2126 * background.redF() + 0.7152 * background.greenF() + 0.0722 * background.blueF();
  return luminance > 0.52 ? QColor("#10151b") : QColor("#ffffff");
}

QPalette Theme::palette() const {
  QPalette palette;
  const auto set = [&palette](QPalette::ColorRole role, const QColor& color) {
    palette.setColor(role, color);
  };
  set(QPalette::Window, window);
  set(QPalette::WindowText, text);
  set(QPalette::Base, surface);
  set(QPalette::AlternateBase, raised);
  set(QPalette::Text, text);
  set(QPalette::Button, raised);
  set(QPalette::ButtonText, text);
  set(QPalette::BrightText, tone(Tone::kBad));
  set(QPalette::Highlight, accent);
  set(QPalette::HighlightedText, on_accent);
  set(QPalette::ToolTipBase, raised);
  set(QPalette::ToolTipText, text);
  set(QPalette::PlaceholderText, muted);
  set(QPalette::Link, accent);
  set(QPalette::LinkVisited, accent);
  set(QPalette::Light, mix(raised, surface, 0.5));
  set(QPalette::Midlight, raised);
  set(QPalette::Mid, frame);
  set(QPalette::Dark, is_dark ? window : frame);
  set(QPalette::Shadow, is_dark ? QColor("#000000") : muted);
  for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
    palette.setColor(QPalette::Disabled, role, mix(text, window, 0.55));
  }
  return palette;
}

QString Theme::style_sheet() const {
  return QStringLiteral(
             "QDockWidget { color: %1; font-weight: 600; }"
             "QDockWidget::title { background: %2; padding: 4px 6px; }"
             "QMainWindow::separator { background: %3; width: 5px; height: 5px; }"
             "QMainWindow::separator:hover { background: %4; }"
             "QHeaderView::section { background: %5; color: %6; border: none; border-bottom: 1px solid %7;"
             " padding: 3px 15px 3px 6px; }"
             "QToolTip { background: %5; color: %1; border: 1px solid %7; padding: 2px; }"
             "QTableView, QListView { border: 1px solid %7; }")
      .arg(text.name(), window.name(), window.name(), accent.name(), raised.name(), muted.name(),
           frame.name());
}

}  // namespace duet::dashboard
