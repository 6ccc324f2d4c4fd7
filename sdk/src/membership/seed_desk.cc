#include "membership/seed_desk.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "duet/error.h"
#include "membership/text.h"
#include "support/log.h"

namespace duet::membership {

control::Joined joined_message(const Roster& roster) {
  control::Joined joined{roster.run_id, roster.entries};
  for (Entry& entry : joined.entries) {
    entry.schema.clear();
    entry.options.clear();
  }
  return joined;
}

Roster complete_from(const control::Joined& joined, const Entry& mine) {
  const auto refuse = [&mine](const std::string& why) {
    throw MembershipError(fmt::format("{} was given a roster that cannot be: {}", describe(mine), why));
  };
  Roster roster{joined.run_id, joined.entries, {}};
  if (roster.run_id.empty()) refuse("its run has no id");
  if (roster.entries.size() != static_cast<std::size_t>(mine.world_size)) {
    refuse(fmt::format("it has {} members instead of {}", roster.entries.size(), mine.world_size));
  }
  for (std::size_t i = 0; i < roster.entries.size(); ++i) {
    Entry& entry = roster.entries[i];
    if (entry.rank != static_cast<int>(i))
      refuse(fmt::format("rank {} stands in the place of {}", entry.rank, i));
    entry.schema = mine.schema;
    entry.options = mine.options;
    require_compatible(mine, entry);
  }
  if (roster.entries[static_cast<std::size_t>(mine.rank)].incarnation != mine.incarnation) {
    refuse(fmt::format("its {} is another worker",
                       describe(roster.entries[static_cast<std::size_t>(mine.rank)])));
  }
  return roster;
}

control::Body late_answer(const Roster& roster, const control::Header& header, const Entry& entry) {
  const auto index = static_cast<std::size_t>(entry.rank);
  const bool other_run = header.run != 0 && header.run != control::run_hash(roster.run_id);
  if (!other_run && index < roster.entries.size() && roster.entries[index].incarnation == entry.incarnation) {
    return joined_message(roster);
  }
  if (!other_run && index < roster.entries.size()) {
    return control::JoinRefused{
        fmt::format(
            "{} came when run {} had begun: its place is taken by {}; wait for the run's end, or use another "
            "seed port",
            describe(entry), roster.run_id, describe(roster.entries[index])),
        false};
  }
  return control::JoinRefused{
      fmt::format(
          "{} asked a worker of another run, {}, which has begun with {} workers; use another seed port",
          describe(entry), roster.run_id, roster.entries.size()),
      false};
}

SeedDesk::SeedDesk(const Entry& mine, const std::string& run_id) : mine_(mine) {
  roster_.run_id = run_id.empty() ? mine.incarnation.text().substr(0, 8) : run_id;
  for (int rank = 0; rank < mine.world_size; ++rank)
    places_[rank];
  places_[mine.rank].holder = Asker{mine, {}, 0.0};
  try_complete();
}

std::vector<SeedDesk::Answer> SeedDesk::on_join(double now, const std::string& route,
                                                const control::Header& header, const Entry& entry) {
  if (!refusal_.empty()) {
    told(entry.rank);
    return {{route, entry.incarnation, control::JoinRefused{refusal_, false}}};
  }
  if (complete_) return {{route, entry.incarnation, late_answer(roster_, header, entry)}};
  if (header.run != 0 && header.run != control::run_hash(roster_.run_id)) {
    // A stray is no reason to end this run.
    const std::string reason = fmt::format(
        "{} asked to join another run than that of {} (run id {}); set the same run id on all workers, or "
        "use another seed port",
        describe(entry), describe(mine_), roster_.run_id);
    support::warning("{}", reason);
    return {{route, entry.incarnation, control::JoinRefused{reason, false}}};
  }

  drop_silent(now);
  const Asker asker{entry, route, now};
  try {
    require_compatible(mine_, entry);
    Place& place = places_[entry.rank];
    if (!place.holder.has_value() || place.holder->entry.incarnation == entry.incarnation) {
      place.holder = asker;
      if (place.rival.has_value()) require_compatible(entry, place.rival->entry);
    } else {
      const bool both_ask = place.rival.has_value() && place.rival->entry.incarnation != entry.incarnation;
      if (both_ask) require_compatible(place.rival->entry, entry);
      place.rival = asker;
    }
  } catch (const MembershipError& error) {
    std::vector<Answer> answers = refuse(error.what(), false);
    told(entry.rank);
    answers.push_back({route, entry.incarnation, control::JoinRefused{refusal_, false}});
    return answers;
  }

  std::vector<Answer> answers = try_complete();
  if (answers.empty()) answers.push_back({route, entry.incarnation, control::JoinPending{missing()}});
  return answers;
}

std::vector<SeedDesk::Answer> SeedDesk::on_time(double now) {
  if (complete_ || !refusal_.empty()) return {};
  drop_silent(now);
  return try_complete();
}

std::vector<SeedDesk::Answer> SeedDesk::time_out(const std::string& reason) {
  return refuse(reason, true);
}

bool SeedDesk::everyone_told() const {
  return told_.size() + 1 >= places_.size();
}

std::vector<int> SeedDesk::missing() const {
  std::vector<int> ranks;
  for (const auto& [rank, place] : places_) {
    if (!place.holder.has_value()) ranks.push_back(rank);
  }
  return ranks;
}

void SeedDesk::told(int rank) {
  if (places_.count(rank) > 0) told_.insert(rank);
}

void SeedDesk::drop_silent(double now) {
  const auto silent = [now](const std::optional<Asker>& asker) {
    return asker.has_value() && now - asker->heard > kSilence;
  };
  for (auto& [rank, place] : places_) {
    if (rank == mine_.rank) continue;
    if (silent(place.rival)) place.rival.reset();
    if (!silent(place.holder)) continue;
    support::info("{} asked to join and then fell silent: its place is free again",
                  describe(place.holder->entry));
    place.holder = std::exchange(place.rival, std::nullopt);
  }
}

std::vector<SeedDesk::Answer> SeedDesk::refuse(const std::string& reason, bool timed_out) {
  refusal_ = reason;
  std::vector<Answer> answers;
  for (const auto& [rank, place] : places_) {
    for (const auto* asker : {&place.holder, &place.rival}) {
      if (rank == mine_.rank || !asker->has_value()) continue;
      told(rank);
      answers.push_back(
          {(*asker)->route, (*asker)->entry.incarnation, control::JoinRefused{reason, timed_out}});
    }
  }
  return answers;
}

std::vector<SeedDesk::Answer> SeedDesk::try_complete() {
  for (const auto& [rank, place] : places_) {
    if (!place.holder.has_value() || place.rival.has_value()) return {};
  }
  complete_ = true;
  for (const auto& [rank, place] : places_)
    roster_.entries.push_back(place.holder->entry);
  std::vector<Answer> answers;
  const control::Joined joined = joined_message(roster_);
  for (const auto& [rank, place] : places_) {
    if (rank != mine_.rank) answers.push_back({place.holder->route, place.holder->entry.incarnation, joined});
  }
  return answers;
}

}  // namespace duet::membership
