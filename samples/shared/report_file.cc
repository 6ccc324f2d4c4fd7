#include "report_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include "duet/error.h"

namespace samples {
namespace {

namespace fs = std::filesystem;

template <class Exception>
[[noreturn]] void refuse(const fs::path& file, int reason) {
  throw Exception("--report " + file.string() + " cannot be written: " + std::strerror(reason) +
                  "; name a file that you may write, in a folder that is yours and has room");
}

/// Where a link leads, so that not the link is replaced.
fs::path target_of(const fs::path& file) {
  std::error_code error;
  const auto target = fs::canonical(file, error);
  return error ? file : target;  // not there yet
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

bool is_in_place(const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::exists(status)) return false;
  // /dev/stdout may lead to a regular file: one that somebody writes to already, and would then write to in
  // vain.
  const bool is_stream =
      fs::is_symlink(file, error) && (folder_of(file) == "/dev" || folder_of(file) == "/dev/fd");
  return is_stream || !fs::is_regular_file(status);
}

/// 0, or what went wrong, as errno has it.
int write(const fs::path& file, const std::string& text, std::ios::openmode mode) {
  errno = 0;
  std::ofstream out(file, std::ios::binary | mode);
  out << text;
  out.close();
  if (out) return 0;
  return errno != 0 ? errno : EIO;
}

}  // namespace

void require_writable(const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (fs::is_directory(status)) refuse<duet::ConfigurationError>(file, EISDIR);
  if (fs::is_socket(status)) refuse<duet::ConfigurationError>(file, ENXIO);
  if (fs::exists(status) && access(file.c_str(), W_OK) != 0) refuse<duet::ConfigurationError>(file, errno);
  if (is_in_place(file)) return;
  // The slash at its end: what is there must be a folder.
  const auto folder = folder_of(target_of(file)) / "";
  if (access(folder.c_str(), W_OK | X_OK) != 0) refuse<duet::ConfigurationError>(file, errno);
}

void write_report(const fs::path& file, const std::string& text) {
  if (is_in_place(file)) {
    if (const int reason = write(file, text, std::ios::app)) refuse<duet::Error>(file, reason);
    return;
  }
  const auto target = target_of(file);
  auto temporary = target;
  temporary += ".part-" + std::to_string(getpid());
  std::error_code error;
  int reason = write(temporary, text, std::ios::trunc);
  if (reason == 0) {
    fs::rename(temporary, target, error);
    reason = error.value();
  }
  if (reason == 0) return;
  fs::remove(temporary, error);
  refuse<duet::Error>(file, reason);
}

}  // namespace samples
