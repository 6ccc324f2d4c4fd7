#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "plugin-check/verdict.h"

/// The contract suite's tests, one at a time, each in a process of its own: a plugin that crashes or hangs in
/// one of them is told so, and goes on to the next.
namespace duet::plugin_check {

struct Test {
  std::string group, name;
  std::string full_name;  ///< GoogleTest's
};

/// GoogleTest must be initialised, with one source.
std::vector<Test> all_tests();
/// '*' stands for any characters, '?' for one; compared with "Group.Name".
bool matches(const Test& test, const std::string& pattern);
Verdict run(const Test& test, std::chrono::milliseconds patience);

}  // namespace duet::plugin_check
