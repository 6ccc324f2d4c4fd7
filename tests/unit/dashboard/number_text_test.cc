#include "dashboard/data/number_text.h"

#include <QLocale>
#include <QTest>
#include <cmath>
#include <limits>

#include "test_main.h"

namespace duet::dashboard {

class NumberTextTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void counts_have_commas() {
    QCOMPARE(count_text(0), QString("0"));
    QCOMPARE(count_text(999), QString("999"));
    QCOMPARE(count_text(1000), QString("1,000"));
    QCOMPARE(count_text(123456), QString("123,456"));
    QCOMPARE(count_text(1234567), QString("1,234,567"));
    QCOMPARE(count_text(std::numeric_limits<std::uint64_t>::max()), QString("18,446,744,073,709,551,615"));
  }

  void times() {
    QCOMPARE(time_text(7), QString("0:07"));
    QCOMPARE(time_text(59.96, 0.1), QString("1:00.0"));
    QCOMPARE(time_text(3723), QString("1:02:03"));
    QCOMPARE(time_text(-5), QString("−0:05"));
    QCOMPARE(time_text(-0.001), QString("0:00"));
    // Clocks say anything.
    QCOMPARE(time_text(std::nan("")), QString("–"));
    QCOMPARE(time_text(HUGE_VAL, 0.1), QString("–"));
    QCOMPARE(time_text(-1e300), QString("–"));
  }

  void values() {
    QCOMPARE(value_text(0), QString("0"));
    QCOMPARE(value_text(0.01234), QString("0.01234"));
    QCOMPARE(value_text(12.346), QString("12.35"));
    QCOMPARE(value_text(1234.4), QString("1234"));
    QCOMPARE(value_text(25000), QString("25 k"));
    QCOMPARE(value_text(1234567), QString("1.235 M"));
    QCOMPARE(value_text(3.4e-9), QString("3.40e−09"));
    QCOMPARE(value_text(-0.5), QString("−0.5000"));
    QCOMPARE(value_text(std::nan("")), QString("NaN"));
    QCOMPARE(value_text(-HUGE_VAL), QString("−∞"));
  }

  void bytes() {
    QCOMPARE(bytes_text(0), QString("0 B"));
    QCOMPARE(bytes_text(999.9), QString("1.00 kB"));
    QCOMPARE(bytes_text(12345678), QString("12.3 MB"));
    QCOMPARE(bytes_text(HUGE_VAL), QString("∞ B"));
  }

  /// Somebody's locale has other points and commas; a dashboard that is shown to others has not.
  void locale_changes_nothing() {
    const QLocale before;
    QLocale::setDefault(QLocale(QLocale::German, QLocale::Germany));
    const QStringList texts{count_text(1234567), value_text(1.5), bytes_text(2.5e6), time_text(1.5, 0.1)};
    QLocale::setDefault(before);
    QCOMPARE(texts, QStringList({"1,234,567", "1.500", "2.50 MB", "0:01.5"}));
  }
};

DUET_QT_TEST(NumberText)

}  // namespace duet::dashboard

#include "number_text_test.moc"
