#pragma once

#include <QColor>
#include <QPalette>
#include <QPen>
#include <QString>
#include <optional>

namespace duet::dashboard {

enum class ThemeChoice { kSystem, kLight, kDark };

/// "system", "light", "dark".
QString to_string(ThemeChoice choice);
std::optional<ThemeChoice> parse_theme(const QString& text);

enum class Tone { kGood, kNotice, kWarning, kBad, kAbsent };

/// Every colour that the dashboard has; no other file names one. Hues are those of Okabe and Ito and of the
/// map cividis, which people with the common kinds of colour blindness tell apart; whatever a colour says is
/// said by text or shape too. A value; a new one is handed down when the choice changes.
class Theme {
 public:
  static Theme light();
  static Theme dark();
  /// kSystem: dark where the palette's text is lighter than its windows. (Qt 6.4 has no other way to ask.)
  static Theme choose(ThemeChoice choice, const QPalette& system);

  bool is_dark = false;
  QColor window;   ///< behind everything
  QColor surface;  ///< of plots, tables, fields
  QColor raised;   ///< headers, buttons, alternate rows
  QColor text;
  QColor muted;  ///< secondary text, tick labels
  QColor grid;
  QColor frame;   ///< around plots
  QColor accent;  ///< selection, focus, the crosshair
  QColor on_accent;
  QColor mean;   ///< the run's own line
  QColor band;   ///< minimum to maximum of all workers; translucent
  QColor bound;  ///< what theory says
  QColor tip;    ///< behind values at the crosshair; translucent

  /// The same for a rank wherever it is drawn; 8 hues in 3 lightnesses, then again.
  QColor rank(int rank) const;
  QColor tone(Tone tone) const;
  /// Behind text of that tone.
  QColor tone_surface(Tone tone) const;
  /// 0: just met … 1: long ago.
  QColor age(double share) const;
  /// 0: nothing … 1: most; for matrices.
  QColor heat(double share) const;
  /// Black or white, whichever is read more easily on it.
  static QColor readable_on(const QColor& background);

  /// For Qt's own widgets.
  QPalette palette() const;
  /// What the palette cannot say: docks' titles, tables' headers, tips.
  QString style_sheet() const;
};

}  // namespace duet::dashboard
