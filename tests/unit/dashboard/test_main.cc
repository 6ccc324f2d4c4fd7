#include "test_main.h"

#include <QApplication>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <QThreadPool>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace duet::dashboard::testing {

namespace {

using Entry = std::pair<std::string, std::function<std::unique_ptr<QObject>()>>;

std::vector<Entry>& entries() {
  static std::vector<Entry> all;
  return all;
}

}  // namespace

Registration::Registration(const char* name, std::function<std::unique_ptr<QObject>()> make) {
  entries().emplace_back(name, std::move(make));
}

namespace {

/// A function that hangs is named by QtTest, before CTest kills the class without a word.
constexpr const char* kFunctionTimeout = "100000";  // ms

/// What a class has left behind would be another's trouble: a window that takes the keys, a question that
/// nobody answers.
bool left_nothing(const std::string& name) {
  QThreadPool::globalInstance()->waitForDone();
  QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
  bool clean = true;
  for (const QWidget* window : QApplication::topLevelWidgets()) {
    if (!window->isVisible()) continue;
    std::fprintf(stderr, "%s has left a window open: %s\n", name.c_str(), window->metaObject()->className());
    clean = false;
  }
  return clean;
}

/// Palette, style, clipboard, pointer and focus belong to the whole program: each class gets a program of its
/// own, as under CTest, and none depends on who was there before.
int run_all(const QStringList& arguments) {
  QStringList failed;
  for (const auto& [name, make] : entries()) {
    const QString wanted = QString::fromStdString(name);
    if (QProcess::execute(QCoreApplication::applicationFilePath(), QStringList{wanted} + arguments) != 0)
      failed << wanted;
  }
  if (!failed.isEmpty()) std::fprintf(stderr, "failed: %s\n", qPrintable(failed.join(QStringLiteral(", "))));
  return failed.isEmpty() ? 0 : 1;
}

int run_one(const std::string& wanted, int argc, char** argv) {
  for (const auto& [name, make] : entries()) {
    if (name != wanted) continue;
    int failures = 0;
    {
      const std::unique_ptr<QObject> test = make();
      failures = QTest::qExec(test.get(), argc, argv);
    }
    return left_nothing(name) && failures == 0 ? 0 : 1;
  }
  std::fprintf(stderr, "no test class '%s'\n", wanted.c_str());
  return 1;
}

}  // namespace

int run(int argc, char** argv) {
  QTemporaryDir settings;
  qputenv("QT_QPA_PLATFORM", "offscreen");
  qputenv("QT_SCALE_FACTOR", "1");
  qputenv("XDG_CONFIG_HOME", settings.path().toLocal8Bit());
  qputenv("TZ", "UTC");
  if (!qEnvironmentVariableIsSet("QTEST_FUNCTION_TIMEOUT"))
    qputenv("QTEST_FUNCTION_TIMEOUT", kFunctionTimeout);
  const QApplication application(argc, argv);
  if (argc < 2 || argv[1][0] == '-') return run_all(QCoreApplication::arguments().mid(1));
  std::vector<char*> rest{argv[0]};
  for (int k = 2; k < argc; ++k)
    rest.push_back(argv[k]);
  return run_one(argv[1], static_cast<int>(rest.size()), rest.data());
}

}  // namespace duet::dashboard::testing

int main(int argc, char** argv) {
  return duet::dashboard::testing::run(argc, argv);
}
