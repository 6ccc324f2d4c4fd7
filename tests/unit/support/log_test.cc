#include "support/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace duet {
namespace {

using ::testing::HasSubstr;

/// Standard error as a pipe that nobody reads; as it was, again, at the end.
class PipedError {
 public:
  PipedError() : before_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe(ends_), 0);
    dup2(ends_[1], STDERR_FILENO);
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~PipedError() {
    dup2(before_, STDERR_FILENO);
    for (const int descriptor : {before_, ends_[0], ends_[1]})
      close(descriptor);
  }
  PipedError(const PipedError&) = delete;
  PipedError& operator=(const PipedError&) = delete;

  std::string read_all() {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = read(ends_[0], buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }

 private:
  int before_;
  int ends_[2] = {-1, -1};
};

TEST(Log, AFullPipeHoldsNobodyUp) {
  PipedError error;
  const std::string line(1000, 'x');
  // Far more than any pipe holds: a blocked write would never return.
  for (int i = 0; i < 3000; ++i)
    support::info("{}", line);
  EXPECT_THAT(error.read_all(), HasSubstr(line));
  support::info("read again");
  const std::string text = error.read_all();
  EXPECT_THAT(text, HasSubstr("messages were dropped"));
  EXPECT_THAT(text, HasSubstr("read again"));
  support::info("once");
  EXPECT_THAT(error.read_all(), Not(HasSubstr("dropped")));
}

TEST(Log, ALineLongerThanAPipeTakesAtOnceIsCutShort) {
  PipedError error;
  support::info("{}", std::string(100'000, 'y'));
  const std::string text = error.read_all();
  EXPECT_THAT(text, HasSubstr("yyyy"));
  EXPECT_LE(text.size(), 4096U);
}

TEST(Log, ASinkMayLogReplaceItselfAndThrow) {
  std::vector<std::string> heard;
  set_log_sink([&](LogLevel, std::string_view text) {
    heard.emplace_back(text);
    if (text == "once") support::info("again");
    if (text == "again") set_log_sink({});
    throw 7;
  });
  support::info("once");
  EXPECT_THAT(heard, ::testing::ElementsAre("once", "again"));
  PipedError error;
  support::info("as before");
  EXPECT_THAT(error.read_all(), HasSubstr("as before"));
  EXPECT_EQ(heard.size(), 2U);
}

}  // namespace
}  // namespace duet
