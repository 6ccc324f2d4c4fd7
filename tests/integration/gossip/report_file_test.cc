#include "report_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>

#include "duet/error.h"

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ReportFile : public ::testing::Test {
 protected:
  ReportFile() { fs::create_directories(folder_); }
  ~ReportFile() override { fs::remove_all(folder_); }

  static std::string content(const fs::path& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }

  auto entries() const { return std::distance(fs::directory_iterator(folder_), fs::directory_iterator()); }

  const fs::path folder_ = fs::temp_directory_path() / ("duet-report-file-" + std::to_string(getpid()));
  const fs::path file_ = folder_ / "report.json";
};

TEST_F(ReportFile, IsReplacedAsAWhole) {
  EXPECT_NO_THROW(samples::require_writable(file_));
  samples::write_report(file_, "an old one");
  EXPECT_NO_THROW(samples::require_writable(file_));
  samples::write_report(file_, "new");
  EXPECT_EQ(content(file_), "new");
  EXPECT_EQ(entries(), 1);  // nothing is left beside it
}

TEST_F(ReportFile, IsWrittenWhereALinkLeads) {
  samples::write_report(file_, "old");
  const auto link = folder_ / "link";
  fs::create_symlink("report.json", link);
  samples::write_report(link, "new");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(content(file_), "new");
}

TEST_F(ReportFile, LeavesWhatIsNoFileAsItIs) {
  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  EXPECT_NO_THROW(samples::require_writable(file_));
  std::string read;
  std::thread reader([&] { read = content(file_); });
  samples::write_report(file_, "text");
  reader.join();
  EXPECT_EQ(read, "text");
  EXPECT_TRUE(fs::is_fifo(file_));

  // Never /dev/full itself: should this fail, root would lose it. By a link of ours, nothing can be lost.
  const auto full = folder_ / "full";
  fs::create_symlink("/dev/full", full);
  EXPECT_NO_THROW(samples::require_writable(full));
  EXPECT_THAT([&] { samples::write_report(full, "text"); },
              ThrowsMessage<duet::Error>(AllOf(HasSubstr(full.string()), HasSubstr("No space left on device"),
                                               HasSubstr("name a file"))));
  EXPECT_TRUE(fs::is_character_file(full));
  EXPECT_EQ(entries(), 2);
}

TEST_F(ReportFile, IsRefusedWhereItCannotBe) {
  samples::write_report(file_, "text");
  const auto refused = [](const fs::path& file, const char* reason) {
    EXPECT_THAT([&] { samples::require_writable(file); },
                ThrowsMessage<duet::ConfigurationError>(
                    AllOf(HasSubstr(file.string()), HasSubstr(reason), HasSubstr("name a file"))));
  };
  refused(folder_, "Is a directory");
  refused(folder_ / "missing" / "report.json", "No such file or directory");
  refused(file_ / "report.json", "Not a directory");
  EXPECT_THAT([&] { samples::write_report(folder_ / "missing" / "report.json", "x"); },
              ThrowsMessage<duet::Error>(HasSubstr("No such file or directory")));
}

}  // namespace
