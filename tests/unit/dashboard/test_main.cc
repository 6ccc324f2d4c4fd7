#include "test_main.h"

#include <QApplication>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
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

}  // namespace duet::dashboard::testing

int main(int argc, char** argv) {
  QTemporaryDir settings;
  qputenv("QT_QPA_PLATFORM", "offscreen");
  qputenv("QT_SCALE_FACTOR", "1");
  qputenv("XDG_CONFIG_HOME", settings.path().toLocal8Bit());
  qputenv("TZ", "UTC");
  const QApplication application(argc, argv);
  const std::string wanted = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
  std::vector<char*> rest{argv[0]};
  for (int k = wanted.empty() ? 1 : 2; k < argc; ++k) rest.push_back(argv[k]);
  int failures = 0;
  bool found = false;
  for (const auto& [name, make] : duet::dashboard::testing::entries()) {
    if (!wanted.empty() && name != wanted) continue;
    found = true;
    const std::unique_ptr<QObject> test = make();
    failures += QTest::qExec(test.get(), static_cast<int>(rest.size()), rest.data());
  }
  if (!found) {
    std::fprintf(stderr, "no test class '%s' in %s\n", wanted.c_str(), argv[0]);
    return 1;
  }
  return failures == 0 ? 0 : 1;
}
