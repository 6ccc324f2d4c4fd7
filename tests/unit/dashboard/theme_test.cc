#include "dashboard/window/theme.h"

#include <QTest>
#include <algorithm>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

class ThemeTest : public QObject {
  Q_OBJECT

  static double linear(double channel) {
    return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
  }
  static double luminance(const QColor& color) {
    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
  }
  /// As WCAG 2 defines it.
  static double contrast(const QColor& a, const QColor& b) {
    const auto [low, high] = std::minmax({luminance(a), luminance(b)});
    return (high + 0.05) / (low + 0.05);
  }
  /// What a person without red (protan) or green (deutan) receptors sees: Viénot, Brettel and Mollon 1999.
  static QColor seen(const QColor& color, bool protan) {
    const double r = linear(color.redF()), g = linear(color.greenF()), b = linear(color.blueF());
    const double seen_r = protan ? 0.11238 * r + 0.88762 * g : 0.29275 * r + 0.70725 * g;
    const double seen_b = protan ? 0.00401 * r - 0.00401 * g + b : -0.02234 * r + 0.02234 * g + b;
    const auto back = [](double value) {
      value = std::clamp(value, 0.0, 1.0);
      return value <= 0.0031308 ? 12.92 * value : 1.055 * std::pow(value, 1 / 2.4) - 0.055;
    };
    return QColor::fromRgbF(float(back(seen_r)), float(back(seen_r)), float(back(seen_b)));
  }
  static double distance(const QColor& a, const QColor& b) {
    return std::hypot(a.red() - b.red(), a.green() - b.green(), a.blue() - b.blue());
  }

 private Q_SLOTS:
  void text_is_readable_in_both_themes() {
    for (const Theme& theme : {Theme::light(), Theme::dark()}) {
      for (const QColor& background : {theme.window, theme.surface, theme.raised}) {
        QVERIFY(contrast(theme.text, background) >= 7);
        QVERIFY(contrast(theme.muted, background) >= 4.5);
      }
      QVERIFY(contrast(theme.on_accent, theme.accent) >= 4.5);
      for (const Tone tone : {Tone::kGood, Tone::kNotice, Tone::kWarning, Tone::kBad, Tone::kAbsent}) {
        QVERIFY(contrast(theme.tone(tone), theme.surface) >= 4.5);
        QVERIFY(contrast(theme.tone(tone), theme.tone_surface(tone)) >= 4.0);
      }
      for (int rank = 0; rank < 24; ++rank) {
        QVERIFY2(contrast(theme.rank(rank), theme.surface) >= 2.0, qPrintable(QString::number(rank)));
        QVERIFY(contrast(Theme::readable_on(theme.rank(rank)), theme.rank(rank)) >= 3.0);
      }
    }
  }

  void neighbouring_ranks_differ_for_colour_blind_people_too() {
    for (const Theme& theme : {Theme::light(), Theme::dark()}) {
      for (int a = 0; a < 8; ++a) {
        for (int b = a + 1; b < 8; ++b) {
          for (const bool protan : {false, true}) {
            const double apart = distance(seen(theme.rank(a), protan), seen(theme.rank(b), protan));
            QVERIFY2(apart > 24,
                     qPrintable(QString("ranks %1 and %2, %3 theme, %4: %5")
                                    .arg(a)
                                    .arg(b)
                                    .arg(theme.is_dark ? "dark" : "light", protan ? "protan" : "deutan")
                                    .arg(apart)));
          }
        }
      }
    }
  }

  void system_follows_the_palette() {
    QPalette palette;
    palette.setColor(QPalette::Window, Qt::white);
    palette.setColor(QPalette::WindowText, Qt::black);
    QVERIFY(!Theme::choose(ThemeChoice::kSystem, palette).is_dark);
    palette.setColor(QPalette::Window, Qt::black);
    palette.setColor(QPalette::WindowText, Qt::white);
    QVERIFY(Theme::choose(ThemeChoice::kSystem, palette).is_dark);
    QVERIFY(!Theme::choose(ThemeChoice::kLight, palette).is_dark);
    for (const ThemeChoice choice : {ThemeChoice::kSystem, ThemeChoice::kLight, ThemeChoice::kDark}) {
      QVERIFY(parse_theme(to_string(choice)) == choice);
    }
    QVERIFY(!parse_theme("blue"));
  }

  void maps_take_any_number() {
    const Theme theme = Theme::dark();
    for (const double share : {-1.0, 0.0, 0.5, 1.0, 7.0, std::nan(""), double(HUGE_VAL)}) {
      QVERIFY(theme.age(share).isValid());
      QVERIFY(theme.heat(share).isValid());
    }
    QVERIFY(theme.rank(-3).isValid());
    QVERIFY(theme.rank(100000).isValid());
  }
};

DUET_QT_TEST(Theme)

}  // namespace duet::dashboard

#include "theme_test.moc"
