#include "plugin-check/suite.h"

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "contract/rules.h"
#include "shared/child_process.h"

namespace duet::plugin_check {
namespace {

using Json = nlohmann::json;

/// In the child: whom to tell.
const tools::Say* listener_says = nullptr;

void tell(const Json& json) {
  (*listener_says)(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void tell_rules() {
  Json ids = Json::array();
  for (const contract::Rule* rule : contract::current_rules())
    ids.push_back(rule->id);
  tell({{"rules", ids}});
}

/// Tells what GoogleTest finds, as it finds it: of each line of the suite the first three times.
class Teller : public ::testing::EmptyTestEventListener {
  std::map<std::string, int> times_;

  void OnTestPartResult(const ::testing::TestPartResult& part) override {
    if (part.passed()) return;
    std::string text = part.message() == nullptr ? "" : part.message();
    // An exception of the suite's own: its text says which call was refused, and how.
    const std::string thrown = "C++ exception with description \"";
    if (text.starts_with(thrown))
      text = text.substr(thrown.size(), text.rfind("\" thrown in ") - thrown.size());
    if (part.skipped()) return tell({{"skipped", text}});
    const std::string file = part.file_name() == nullptr ? "" : part.file_name();
    if (!file.empty()) {
      text += (text.empty() || text.back() == '\n' ? "(" : "\n(") + file.substr(file.rfind('/') + 1) + ":" +
              std::to_string(part.line_number()) + ")";
    }
    if (++times_[file + ":" + std::to_string(part.line_number())] <= 3) tell({{"failure", text}});
  }
};

void run_alone(const std::string& full_name, const tools::Say& say) {
  listener_says = &say;
  contract::on_rules(&tell_rules);
  ::testing::GTEST_FLAG(filter) = full_name;
  ::testing::TestEventListeners& listeners = ::testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Teller);
  // Its result is in what was told.
  [[maybe_unused]] const int exit_code = RUN_ALL_TESTS();
}

/// "Transports/Deadlines" → "Deadlines".
std::string behind(const std::string& text, char separator) {
  const std::size_t at = text.find(separator);
  return at == std::string::npos ? text : text.substr(at + 1);
}

}  // namespace

std::vector<Test> all_tests() {
  std::vector<Test> tests;
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int k = 0; k < suite.total_test_count(); ++k) {
      const std::string name = suite.GetTestInfo(k)->name();
      tests.push_back({.group = behind(suite.name(), '/'),
                       .name = name.substr(0, name.find('/')),
                       .full_name = std::string(suite.name()) + "." + name});
    }
  }
  return tests;
}

bool matches(const Test& test, const std::string& pattern) {
  return fnmatch(pattern.c_str(), (test.group + "." + test.name).c_str(), 0) == 0;
}

Verdict run(const Test& test, std::chrono::milliseconds patience) {
  Verdict verdict;
  verdict.group = test.group;
  verdict.name = test.name;
  const auto start = std::chrono::steady_clock::now();
  bool skipped = false;
  const auto on_line = [&](const std::string& line) {
    const Json json = Json::parse(line);
    if (json.contains("rules")) {
      json["rules"].get_to(verdict.rules);
    } else if (json.contains("skipped")) {
      json["skipped"].get_to(verdict.reason);
      skipped = true;
    } else {
      verdict.failures.push_back(json.at("failure").get<std::string>());
    }
  };
  const std::string end =
      tools::run_in_child([&](const tools::Say& say) { run_alone(test.full_name, say); }, patience, on_line);
  if (!end.empty()) verdict.failures.push_back("the process of this test " + end);
  verdict.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  verdict.kind = !verdict.failures.empty() ? Verdict::Kind::kBroken
                 : skipped                 ? Verdict::Kind::kSkipped
                                           : Verdict::Kind::kKept;
  return verdict;
}

}  // namespace duet::plugin_check
