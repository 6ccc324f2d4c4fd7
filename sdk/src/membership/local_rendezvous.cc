#include "membership/local_rendezvous.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "duet/error.h"
#include "membership/text.h"
#include "membership/wait_notice.h"

namespace duet::membership {
namespace {

using Clock = std::chrono::steady_clock;

/// Whoever comes so long after a refusal, for the first time, still belongs to the run that was refused.
constexpr std::chrono::seconds kStragglerTime{2};

/// One run that is gathering. Guarded by Table::mutex.
struct Gathering {
  std::map<int, Entry> entries;
  std::string run_id;
  std::string refusal;
  bool timed_out = false;
  bool complete = false;
  Clock::time_point refused_at;
  std::set<int> told;

  [[noreturn]] void tell(int rank) {
    told.insert(rank);
    if (timed_out) throw TimeoutError(refusal);
    throw MembershipError(refusal);
  }
};

struct Table {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::shared_ptr<Gathering>> gatherings;
};

Table& table() {
  static Table* const instance = new Table;  // threads may still wait at exit
  return *instance;
}

std::vector<int> missing_ranks(const Gathering& gathering, int world_size) {
  std::vector<int> ranks;
  for (int rank = 0; rank < world_size; ++rank) {
    if (gathering.entries.count(rank) == 0) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace

Roster LocalRendezvous::join(const Entry& mine, const JoinOptions& options) {
  require_compatible(mine, mine);
  Table& shared = table();
  std::unique_lock lock(shared.mutex);
  std::shared_ptr<Gathering>& slot = shared.gatherings[name_];
  if (slot != nullptr && !slot->refusal.empty()) {
    if (Clock::now() - slot->refused_at < kStragglerTime && slot->told.count(mine.rank) == 0)
      slot->tell(mine.rank);
    slot = nullptr;
  }
  if (slot == nullptr) slot = std::make_shared<Gathering>();
  const std::shared_ptr<Gathering> gathering = slot;
  const auto refuse = [&](const std::string& reason, bool timed_out) {
    gathering->refusal = reason;
    gathering->timed_out = timed_out;
    gathering->refused_at = Clock::now();
    for (const auto& [rank, entry] : gathering->entries)
      gathering->told.insert(rank);
    shared.changed.notify_all();
    gathering->tell(mine.rank);
  };

  try {
    for (const auto& [rank, entry] : gathering->entries)
      require_compatible(entry, mine);
    if (!options.run_id.empty() && !gathering->run_id.empty() && options.run_id != gathering->run_id) {
      throw MembershipError(
          fmt::format("{} wants to join run {} at local:{}, the others run {}; set the same run id",
                      describe(mine), options.run_id, name_, gathering->run_id));
    }
  } catch (const MembershipError& error) {
    refuse(error.what(), false);
  }
  gathering->entries[mine.rank] = mine;
  if (!options.run_id.empty()) gathering->run_id = options.run_id;
  if (gathering->entries.size() == static_cast<std::size_t>(mine.world_size)) {
    if (gathering->run_id.empty()) gathering->run_id = gathering->entries[0].incarnation.text().substr(0, 8);
    gathering->complete = true;
    shared.gatherings.erase(name_);
    shared.changed.notify_all();
  }

  WaitNotice notice(mine);
  const Clock::time_point deadline =
      Clock::now() +
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.complete_timeout));
  const auto decided = [&] { return gathering->complete || !gathering->refusal.empty(); };
  const auto missing = [&] { return rank_list(missing_ranks(*gathering, mine.world_size)); };
  if (!shared.changed.wait_until(lock, std::min(deadline, notice.due()), decided)) {
    const std::string awaited = fmt::format("{} to join at local:{}", missing(), name_);
    lock.unlock();  // whoever is told may take their time
    notice.tell_once(options.complete_timeout, "DUET_JOIN_TIMEOUT",
                     [&]() -> const std::string& { return awaited; });
    lock.lock();
  }
  if (!shared.changed.wait_until(lock, deadline, decided)) {
    refuse(fmt::format("not all {} workers joined at local:{} within {:g} s (DUET_JOIN_TIMEOUT): {} did not; "
                       "local: joins threads of one process only, processes need seed:// or file:",
                       mine.world_size, name_, options.complete_timeout, missing()),
           true);
  }
  if (!gathering->complete) gathering->tell(mine.rank);

  Roster roster{gathering->run_id, {}, {}};
  for (const auto& [rank, entry] : gathering->entries)
    roster.entries.push_back(entry);
  return roster;
}

}  // namespace duet::membership
