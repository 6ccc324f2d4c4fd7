#include "membership/file_board.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>

#include "duet/error.h"
#include "support/log.h"

namespace duet::membership {
namespace {

/// An entry that is so much older than this worker's own is nobody's any more.
constexpr double kFresh = 3.0;
/// Whoever comes so long after a refusal belongs to the launch that was refused.
constexpr double kStragglerTime = 5.0;
constexpr const char* kEntry = "entry-";
constexpr const char* kRefused = "refused";
constexpr const char* kHeard = "heard-";

}  // namespace

FileBoard::FileBoard(std::filesystem::path directory, const Entry& mine)
    : directory_(std::move(directory)), mine_(mine) {
  std::error_code error;
  // Whoever mistypes it must not wait there alone, in a directory that Duet has made.
  if (const auto named = directory_.parent_path(); !std::filesystem::is_directory(named, error)) {
    throw ConfigurationError(
        fmt::format("{} cannot use the rendezvous directory {}: {}; create it, or name one that all workers "
                    "share (DUET_RENDEZVOUS=file:DIRECTORY)",
                    describe(mine_), named.string(), error ? error.message() : "Not a directory"));
  }
  std::filesystem::create_directory(directory_, error);
  if (error) {
    throw ConfigurationError(
        fmt::format("{} cannot create the rendezvous directory {}: {}; name one that all workers "
                    "can write to",
                    describe(mine_), directory_.string(), error.message()));
  }
  const std::filesystem::path refused = directory_ / kRefused;
  const bool comes_again = modified(heard_path()) > 0.0 && modified(heard_path()) >= modified(refused);
  std::filesystem::remove(heard_path(), error);
  // A new attempt begins: nobody needs the old one's refusal any more.
  if (comes_again && mine_.rank == 0) std::filesystem::remove(refused, error);
  publish();
  begun_ = refreshed_;
  refusals_since_ = comes_again ? begun_ : begun_ - kStragglerTime;
}

std::filesystem::path FileBoard::entry_path(int rank) const {
  return directory_ / (kEntry + std::to_string(rank));
}

std::filesystem::path FileBoard::heard_path() const {
  return directory_ / (kHeard + std::to_string(mine_.rank));
}

void FileBoard::write(const std::filesystem::path& path, const control::Message& message) {
  const std::filesystem::path temporary =
      directory_ / fmt::format(".{}.{}", path.filename().string(), mine_.incarnation.text());
  const std::string bytes = control::encode(message);
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw ConfigurationError(
        fmt::format("{} cannot write {}: {}; name a directory that all workers can write to", describe(mine_),
                    path.string(), error == 0 ? "the file system refuses" : std::strerror(error)));
  }
}

double FileBoard::modified(const std::filesystem::path& path) const {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return 0.0;
  return static_cast<double>(status.st_mtim.tv_sec) + 1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
}

std::optional<FileBoard::File> FileBoard::read(const std::filesystem::path& path) const {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return std::nullopt;
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  File file;
  file.modified = modified(path);
  file.message = control::decode(bytes, &file.reason);
  return file;
}

void FileBoard::publish() {
  const std::filesystem::path path = entry_path(mine_.rank);
  // Setting the time to "now" leaves it to the file server to say when that is.
  if (begun_ == 0.0 || utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) {
    write(path, {{.run = 0, .epoch = 0, .rank = mine_.rank, .from = mine_.incarnation, .to = {}},
                 control::Join{mine_}});
  }
  refreshed_ = modified(path);
}

void FileBoard::withdraw() {
  const std::optional<File> file = read(entry_path(mine_.rank));
  if (!file.has_value() || !file->message.has_value() || file->message->header.from != mine_.incarnation)
    return;
  std::error_code ignored;
  std::filesystem::remove(entry_path(mine_.rank), ignored);
}

void FileBoard::publish_roster(const Roster& roster) {
  const control::Header header{.run = control::run_hash(roster.run_id),
                               .epoch = 0,
                               .rank = mine_.rank,
                               .from = mine_.incarnation,
                               .to = {}};
  write(directory_ / "roster", {header, control::Joined{roster.run_id, roster.entries}});
}

void FileBoard::publish_refusal(const std::string& reason, const Incarnation& other, bool timed_out) {
  write(directory_ / kRefused,
        {{.run = 0, .epoch = 0, .rank = mine_.rank, .from = mine_.incarnation, .to = other},
         control::JoinRefused{reason, timed_out}});
  acknowledge_refusal();
}

std::map<int, Entry> FileBoard::fresh_entries() {
  std::map<int, Entry> entries;
  leftovers_.clear();
  std::error_code error;
  for (std::filesystem::directory_iterator item(directory_, error), end; !error && item != end;
       item.increment(error)) {
    const std::string name = item->path().filename().string();
    if (name.rfind(kEntry, 0) != 0) continue;
    const std::optional<File> file = read(item->path());
    if (!file.has_value()) continue;  // withdrawn just now

    const auto* join = file->message.has_value() ? std::get_if<control::Join>(&file->message->body) : nullptr;
    if (join == nullptr || item->path() != entry_path(join->entry.rank)) {
      const std::string why =
          fmt::format("the file {} is no entry ({})", item->path().string(),
                      file->message.has_value() ? "it holds something else" : file->reason);
      if (warned_.insert(name).second)
        support::warning("{}; it is ignored until its rank writes a new one", why);
      for (int rank = 0; rank < mine_.world_size; ++rank) {
        if (item->path() == entry_path(rank)) leftovers_[rank] = why;
      }
      continue;
    }
    if (refreshed_ - file->modified > kFresh) {
      leftovers_[join->entry.rank] = fmt::format(
          "the file {} is of {}, which stopped looking {:.0f} s ago: an earlier run's, or it died",
          item->path().string(), describe(join->entry), refreshed_ - file->modified);
      continue;
    }
    entries[join->entry.rank] = join->entry;
  }
  return entries;
}

std::optional<Entry> FileBoard::usurper() {
  const std::optional<File> file = read(entry_path(mine_.rank));
  if (!file.has_value() || !file->message.has_value()) return std::nullopt;
  const auto* join = std::get_if<control::Join>(&file->message->body);
  if (join == nullptr || join->entry.incarnation == mine_.incarnation) return std::nullopt;
  return join->entry;
}

std::optional<control::Joined> FileBoard::roster() {
  const std::optional<File> file = read(directory_ / "roster");
  if (!file.has_value() || !file->message.has_value()) return std::nullopt;
  const auto* joined = std::get_if<control::Joined>(&file->message->body);
  return joined == nullptr ? std::nullopt : std::optional(*joined);
}

std::optional<control::JoinRefused> FileBoard::refusal() {
  const std::optional<File> file = read(directory_ / kRefused);
  if (!file.has_value() || !file->message.has_value()) return std::nullopt;
  const auto* refused = std::get_if<control::JoinRefused>(&file->message->body);
  if (refused == nullptr || file->modified < (refused->timed_out ? begun_ : refusals_since_))
    return std::nullopt;
  return *refused;
}

void FileBoard::acknowledge_refusal() {
  write(heard_path(), {{.run = 0, .epoch = 0, .rank = mine_.rank, .from = mine_.incarnation, .to = {}},
                       control::PartReceived{}});
}

std::string FileBoard::leftover(int rank) const {
  const auto found = leftovers_.find(rank);
  return found == leftovers_.end() ? std::string() : found->second;
}

}  // namespace duet::membership
