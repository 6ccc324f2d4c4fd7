#include "dashboard/window/connect_dialog.h"

#include <QPushButton>
#include <QTemporaryDir>
#include <QTest>

#include "dashboard/window/command_line.h"
#include "dashboard/window/settings.h"
#include "test_main.h"

namespace duet::dashboard {

/// Row 7, as far as it needs no worker, and the command line.
class ConnectDialogTest : public QObject {
  Q_OBJECT

  static CommandLineResult parse(std::vector<const char*> words) {
    words.insert(words.begin(), "duet-dashboard");
    return parse_command_line(static_cast<int>(words.size()), words.data());
  }

 private Q_SLOTS:
  void addresses_are_checked_while_typing_data() {
    QTest::addColumn<QString>("typed");
    QTest::addColumn<QString>("complete");
    QTest::newRow("name") << "node0"
                          << "node0:29800";
    QTest::newRow("name and port") << "node0:29803"
                                   << "node0:29803";
    QTest::newRow("address") << "10.0.0.7"
                             << "10.0.0.7:29800";
    QTest::newRow("scheme") << "tcp://10.0.0.7:29801"
                            << "10.0.0.7:29801";
    QTest::newRow("v6") << "[::1]:29800"
                        << "[::1]:29800";
    QTest::newRow("spaces around") << "  node0  "
                                   << "node0:29800";
    for (const char* bad : {"", "node0:", "node0:0", "node0:65536", "node0:-1", "node0:http", ":29800",
                            "http://node0", "a b", "[::1", "node0:29800:1"}) {
      QTest::newRow(bad[0] == '\0' ? "nothing" : bad) << QString(bad) << QString();
    }
  }
  void addresses_are_checked_while_typing() {
    QFETCH(QString, typed);
    QFETCH(QString, complete);
    ConnectDialog dialog({}, Theme::light());
    dialog.show();
    dialog.field().clearEditText();
    QTest::keyClicks(dialog.field().lineEdit(), typed);
    QCOMPARE(dialog.address(), complete);
    QCOMPARE(dialog.connect_button().isEnabled(), !complete.isEmpty());
    QVERIFY(!dialog.hint().text().isEmpty());
    if (!complete.isEmpty()) QVERIFY(dialog.hint().text().contains(complete));
    // Return does what the button does, and nothing where the button cannot.
    QTest::keyClick(dialog.field().lineEdit(), Qt::Key_Return);
    QCOMPARE(dialog.result() == QDialog::Accepted, !complete.isEmpty());
  }

  void recent_addresses_are_offered() {
    QTemporaryDir folder;
    Settings settings(folder.filePath("s.ini"));
    for (int k = 0; k < 12; ++k)
      settings.add_recent_address(QString("node%1:29800").arg(k % 10));
    QCOMPARE(settings.recent_addresses().size(), Settings::kMostRecent);
    QCOMPARE(settings.recent_addresses().first(), QString("node1:29800"));
    QCOMPARE(settings.recent_addresses().count("node1:29800"), 1);
    ConnectDialog dialog(settings.recent_addresses(), Theme::dark());
    QCOMPARE(dialog.address(), QString("node1:29800"));
  }

  void settings_survive_and_nonsense_is_ignored() {
    QTemporaryDir folder;
    const QString path = folder.filePath("s.ini");
    {
      Settings settings(path);
      settings.set_theme(ThemeChoice::kDark);
      settings.set_window_seconds(300);
    }
    Settings settings(path);
    QVERIFY(settings.theme() == ThemeChoice::kDark);
    QCOMPARE(settings.window_seconds(), 300.0);
    QSettings raw(path, QSettings::IniFormat);
    raw.setValue("theme", "plaid");
    raw.setValue("window_seconds", "-5");
    raw.sync();
    Settings again(path);
    QVERIFY(again.theme() == ThemeChoice::kSystem);
    QCOMPARE(again.window_seconds(), 120.0);
  }

  void command_lines_that_are_good() {
    CommandLineResult result =
        parse({"--demo", "--screenshot", "o.png", "--size", "1920x1080", "--theme", "dark", "--after", "30"});
    QVERIFY2(!result.exit_code, result.text.c_str());
    QVERIFY(result.options.demo && result.options.headless());
    QCOMPARE(result.options.size, QSize(1920, 1080));
    QVERIFY(result.options.theme == ThemeChoice::kDark);
    QCOMPARE(result.options.after, 30.0);
    result = parse({"--connect", "node0", "--record", "r.duetrec", "--buffer-seconds", "600"});
    QVERIFY(!result.exit_code);
    QCOMPARE(result.options.connect, std::string("node0:29800"));
    QCOMPARE(result.options.buffer_seconds, 600.0);
    QVERIFY(!parse({}).exit_code);
    QCOMPARE(*parse({"--help"}).exit_code, 0);
    QVERIFY(parse({"--help"}).text.find("--screenshot") != std::string::npos);
    QVERIFY(parse({"--version"}).text.find("duet-dashboard 1.") != std::string::npos);
  }

  void command_lines_that_are_refused_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QString>("names");
    QTest::newRow("unknown") << QStringList{"--deme"} << "deme";
    QTest::newRow("two sources") << QStringList{"--demo", "--open", "f"} << "--open";
    QTest::newRow("port") << QStringList{"--connect", "node:99999"} << "node:99999";
    QTest::newRow("theme") << QStringList{"--demo", "--theme", "plaid"} << "plaid";
    QTest::newRow("size") << QStringList{"--demo", "--size", "big"} << "WIDTHxHEIGHT";
    QTest::newRow("small") << QStringList{"--demo", "--size", "100x100"} << "720x480";
    QTest::newRow("size tail") << QStringList{"--demo", "--size", "1280x720x"} << "WIDTHxHEIGHT";
    QTest::newRow("picture of nothing") << QStringList{"--screenshot", "o.png"} << "--demo";
    QTest::newRow("workers") << QStringList{"--demo", "--demo-workers", "0"} << "demo-workers";
    QTest::newRow("window") << QStringList{"--window", "1"} << "window";
    QTest::newRow("record twice") << QStringList{"--open", "a", "--record", "b"} << "--record";
  }
  void command_lines_that_are_refused() {
    QFETCH(QStringList, words);
    QFETCH(QString, names);
    std::vector<std::string> owned;
    for (const QString& word : words)
      owned.push_back(word.toStdString());
    std::vector<const char*> pointers;
    for (const std::string& word : owned)
      pointers.push_back(word.c_str());
    const CommandLineResult result = parse(pointers);
    QCOMPARE(result.exit_code.value_or(0), 2);
    QVERIFY2(QString::fromStdString(result.text).contains(names), result.text.c_str());
  }
};

DUET_QT_TEST(ConnectDialog)

}  // namespace duet::dashboard

#include "connect_dialog_test.moc"
