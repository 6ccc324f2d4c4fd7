#include "membership/file_rendezvous.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "duet/error.h"
#include "membership/file_board.h"
#include "membership/seed_desk.h"
#include "membership/text.h"
#include "membership/wait_notice.h"

namespace duet::membership {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{50};
constexpr std::chrono::milliseconds kRefresh{250};

/// Rank 0's decision; nothing while ranks are missing.
std::optional<Roster> gather(FileBoard& board, const Entry& mine, const std::string& run_id) {
  Roster roster{run_id.empty() ? mine.incarnation.text().substr(0, 8) : run_id, {}, {}};
  const std::map<int, Entry> found = board.fresh_entries();
  for (const auto& [rank, other] : found) {
    try {
      require_compatible(mine, other);
    } catch (const MembershipError& error) {
      board.publish_refusal(error.what(), other.incarnation, false);
      throw;
    }
    roster.entries.push_back(other);
  }
  if (roster.entries.size() != static_cast<std::size_t>(mine.world_size)) return std::nullopt;
  board.publish_roster(roster);
  return roster;
}

void throw_refusal(FileBoard& board) {
  const std::optional<control::JoinRefused> refused = board.refusal();
  if (!refused.has_value()) return;
  board.acknowledge_refusal();
  if (refused->timed_out) throw TimeoutError(refused->reason);
  throw MembershipError(refused->reason);
}

std::vector<int> missing_ranks(FileBoard& board, const Entry& mine) {
  const std::map<int, Entry> found = board.fresh_entries();
  std::vector<int> missing;
  for (int rank = 0; rank < mine.world_size; ++rank) {
    if (found.count(rank) == 0) missing.push_back(rank);
  }
  return missing;
}

/// For the message after a time-out.
std::string explain_missing(FileBoard& board, const Entry& mine) {
  const std::vector<int> missing = missing_ranks(board, mine);
  if (missing.empty()) return "all of them are there, but rank 0 has written no roster";
  std::string leftovers;
  for (const int rank : missing) {
    if (const std::string leftover = board.leftover(rank); !leftover.empty()) leftovers += "; " + leftover;
  }
  return rank_list(missing) + " did not" + leftovers;
}

/// A roster that does not name this worker explains why nobody answers it.
std::string explain_roster(FileBoard& board, const Entry& mine) {
  const std::optional<control::Joined> joined = board.roster();
  if (!joined.has_value()) return "";
  for (const Entry& entry : joined->entries) {
    if (entry.rank == mine.rank && entry.incarnation != mine.incarnation) {
      return fmt::format(
          " (the roster there is that of run {}, where this rank is {}: an earlier run, or one that began "
          "without this worker; give every run an id of its own)",
          joined->run_id, describe(entry));
    }
  }
  return "";
}

}  // namespace

std::string directory_name(const std::string& run_id) {
  if (run_id.empty()) return "default";
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  constexpr std::size_t kLongest = 100;
  if (run_id.find_first_not_of(kAllowed) == std::string::npos && run_id.front() != '.' &&
      run_id != "default" && run_id.size() <= kLongest) {
    return run_id;
  }
  std::string name = run_id.substr(0, kLongest);
  for (char& letter : name) {
    if (kAllowed.find(letter) == std::string_view::npos || letter == '.') letter = '_';
  }
  return fmt::format("{}-{:016x}", name, control::run_hash(run_id));
}

Roster FileRendezvous::join(const Entry& mine, const JoinOptions& options) {
  require_compatible(mine, mine);
  const std::filesystem::path place = directory_ / directory_name(options.run_id);
  FileBoard board(place, mine);
  // Left behind, the entry would look like that of a worker that still waits.
  struct Withdraw {
    FileBoard& board;
    ~Withdraw() { board.withdraw(); }
  } const withdraw{board};

  const Clock::time_point deadline =
      Clock::now() +
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.complete_timeout));
  Clock::time_point refresh = Clock::now() + kRefresh;
  WaitNotice notice(mine);
  for (;;) {
    if (const std::optional<Entry> usurper = board.usurper()) {
      try {
        require_compatible(mine, *usurper);
      } catch (const MembershipError& error) {
        board.publish_refusal(error.what(), usurper->incarnation, false);
        throw;
      }
    }
    throw_refusal(board);
    if (mine.rank == 0) {
      if (std::optional<Roster> roster = gather(board, mine, options.run_id)) return *roster;
    } else if (const std::optional<control::Joined> joined = board.roster()) {
      const auto is_me = [&mine](const Entry& entry) { return entry.incarnation == mine.incarnation; };
      if (std::any_of(joined->entries.begin(), joined->entries.end(), is_me))
        return complete_from(*joined, mine);
    }

    const Clock::time_point now = Clock::now();
    if (now >= deadline) {
      const std::string reason = fmt::format(
          "not all {} workers joined in {} within {:g} s (DUET_JOIN_TIMEOUT): {}{}; check that "
          "all were started, with the same run id (DUET_RUN_ID) and the same directory "
          "(DUET_RENDEZVOUS), on a file system that all share",
          mine.world_size, place.string(), options.complete_timeout, explain_missing(board, mine),
          explain_roster(board, mine));
      // Another worker may have given up just now and taken its entry away: then its reason is the better
      // one.
      throw_refusal(board);
      board.publish_refusal(reason, {}, true);  // without this worker nobody else gets on either
      throw TimeoutError(reason);
    }
    notice.tell_once(options.complete_timeout, "DUET_JOIN_TIMEOUT", [&] {
      const std::vector<int> missing = missing_ranks(board, mine);
      return missing.empty() ? fmt::format("rank 0's roster in {}", place.string())
                             : fmt::format("{} to join in {}", rank_list(missing), place.string());
    });
    if (now >= refresh) {
      board.publish();
      refresh = now + kRefresh;
    }
    // A large run must not wear out its file server.
    const auto poll = mine.rank == 0 ? kPoll * std::max(1, mine.world_size / 64) : kPoll;
    std::this_thread::sleep_for(std::min<Clock::duration>(poll, deadline - now));
  }
}

}  // namespace duet::membership
