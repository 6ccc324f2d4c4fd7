#pragma once

#include <QObject>
#include <functional>
#include <memory>

/// One program holds several QtTest classes; its first argument names the one to run, without it all are run,
/// each in a process of its own. The platform is "offscreen", the scale 1, and settings go to a folder that
/// is deleted in the end.
namespace duet::dashboard::testing {

class Registration {
 public:
  Registration(const char* name, std::function<std::unique_ptr<QObject>()> make);
};

}  // namespace duet::dashboard::testing

#define DUET_QT_TEST(Class)                                                   \
  static const ::duet::dashboard::testing::Registration registration_##Class( \
      #Class, [] { return std::unique_ptr<QObject>(new Class##Test); });
