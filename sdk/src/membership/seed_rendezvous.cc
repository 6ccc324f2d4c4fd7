#include "membership/seed_rendezvous.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "control/host_address.h"
#include "duet/error.h"
#include "membership/text.h"
#include "membership/wait_notice.h"
#include "support/log.h"

namespace duet::membership {
namespace {

constexpr double kFirstRepeat = 0.2;
/// While nobody answers, what is sent queues up: so ever less often.
constexpr double kRepeatGrowth = 1.5;
constexpr double kLongestRepeat = 2.0;
constexpr double kStragglerTime = 1.0;
constexpr double kSlice = 0.2;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

control::Header header_of(const Entry& mine, const std::string& run_id, const Incarnation& to) {
  return {.run = run_id.empty() ? 0 : control::run_hash(run_id),
          .epoch = 0,
          .rank = mine.rank,
          .from = mine.incarnation,
          .to = to};
}

std::string awaited_at(const SeedAddress& seed, const std::vector<int>& missing) {
  return fmt::format("{} to join at {}:{}", rank_list(missing), seed.host, seed.port);
}

std::string host_of(const std::string& address) {
  const std::size_t start = address.find("://") + 3;
  return address.substr(start, address.rfind(':') - start);
}

}  // namespace

SeedRendezvous::SeedRendezvous(SeedAddress seed, control::Channel& channel)
    : seed_(std::move(seed)), channel_(channel) {}

Roster SeedRendezvous::join(const Entry& mine, const JoinOptions& options) {
  require_compatible(mine, mine);
  require_reachable(mine);
  return mine.rank == 0 ? serve(mine, options) : ask(mine, options);
}

void SeedRendezvous::require_reachable(const Entry& mine) const {
  if (mine.world_size == 1) return;
  const std::string& own = channel_.address();
  const std::string port = own.substr(own.rfind(':') + 1);
  if (mine.rank == 0 && port != std::to_string(seed_.port)) {
    throw ConfigurationError(fmt::format("{} must listen on the seed's port {}, but listens on {}",
                                         describe(mine), seed_.port, own));
  }
  const std::string seed = control::resolve_host(seed_.host);
  if (!seed.empty() && !control::is_loopback(seed) && control::is_loopback(host_of(own))) {
    throw ConfigurationError(fmt::format(
        "{} listens on {} only, where workers on other machines cannot reach it, but the seed is {}:{}; "
        "bind an address that they can reach (DUET_BIND=0.0.0.0, with DUET_SECRET), or, for one machine, "
        "use seed://127.0.0.1:{}",
        describe(mine), own, seed_.host, seed_.port, seed_.port));
  }
}

// ---- rank 0
// ------------------------------------------------------------------------------------------------------

Roster SeedRendezvous::serve(const Entry& mine, const JoinOptions& options) {
  SeedDesk desk(mine, options.run_id);
  WaitNotice notice(mine);
  const double deadline = seconds_now() + options.complete_timeout;
  for (;;) {
    serve_messages(desk, mine);
    answer(desk.on_time(seconds_now()), mine, desk.roster().run_id);
    if (!desk.refusal().empty()) {
      tell_stragglers(desk, mine);
      throw MembershipError(desk.refusal());
    }
    if (desk.complete()) return desk.roster();
    const double now = seconds_now();
    if (now >= deadline) {
      const std::string reason = fmt::format(
          "{} of {} workers did not join at {}:{} within {:g} s (DUET_JOIN_TIMEOUT): {}; look whether they "
          "run, and at their messages",
          desk.missing().size(), mine.world_size, seed_.host, seed_.port, options.complete_timeout,
          rank_list(desk.missing()));
      answer(desk.time_out(reason), mine, desk.roster().run_id);
      throw TimeoutError(reason);
    }
    notice.tell_once(options.complete_timeout, "DUET_JOIN_TIMEOUT",
                     [&] { return awaited_at(seed_, desk.missing()); });
    channel_.wait(std::min(kSlice, deadline - now));
  }
}

void SeedRendezvous::serve_messages(SeedDesk& desk, const Entry& mine) {
  control::Channel::Received received;
  while (channel_.receive(received)) {
    if (received.return_route.empty()) continue;
    std::string reason;
    const std::optional<control::Message> message = control::decode(received.bytes, &reason);
    if (!message.has_value()) {
      support::warning("someone asked {} to join and was not understood: {}", describe(mine), reason);
      answer({{received.return_route, {}, control::JoinRefused{reason, false}}}, mine, desk.roster().run_id);
      continue;
    }
    if (const auto* join = std::get_if<control::Join>(&message->body)) {
      answer(desk.on_join(seconds_now(), received.return_route, message->header, join->entry), mine,
             desk.roster().run_id);
    }
  }
}

void SeedRendezvous::answer(const std::vector<SeedDesk::Answer>& answers, const Entry& mine,
                            const std::string& run_id) {
  for (const SeedDesk::Answer& answer : answers) {
    channel_.reply(answer.route, control::encode({header_of(mine, run_id, answer.to), answer.body}));
  }
}

void SeedRendezvous::tell_stragglers(SeedDesk& desk, const Entry& mine) {
  const double end = seconds_now() + kStragglerTime;
  for (double now = seconds_now(); now < end && !desk.everyone_told(); now = seconds_now()) {
    channel_.wait(end - now);
    serve_messages(desk, mine);
  }
}

// ---- the others
// --------------------------------------------------------------------------------------------------

Roster SeedRendezvous::ask(const Entry& mine, const JoinOptions& options) {
  const std::string seed = fmt::format("tcp://{}:{}", seed_.host, seed_.port);
  const std::string question = control::encode({header_of(mine, options.run_id, {}), control::Join{mine}});
  const double start = seconds_now();
  double next_question = start, repeat = kFirstRepeat;
  double deadline = start + options.answer_timeout;
  std::optional<double> last_answer;
  std::vector<int> missing;
  WaitNotice notice(mine);

  for (;;) {
    double now = seconds_now();
    if (now >= deadline) break;
    if (now >= next_question) {
      channel_.send(seed, question);
      next_question = now + repeat;
      repeat = last_answer.has_value() ? SeedDesk::kRepeat : std::min(repeat * kRepeatGrowth, kLongestRepeat);
    }
    if (last_answer.has_value()) {
      notice.tell_once(options.complete_timeout, "DUET_JOIN_TIMEOUT",
                       [&] { return awaited_at(seed_, missing); });
    } else {
      notice.tell_once(options.answer_timeout, "DUET_SEED_TIMEOUT",
                       [&] { return fmt::format("rank 0 to answer at {}:{}", seed_.host, seed_.port); });
    }
    channel_.wait(std::max(0.0, std::min(next_question, deadline) - now));

    control::Channel::Received received;
    while (channel_.receive(received)) {
      // Members that have their roster already may say all sorts of things; only the seed answers.
      if (!received.return_route.empty()) continue;
      std::string reason;
      const std::optional<control::Message> message = control::decode(received.bytes, &reason);
      if (!message.has_value()) {
        throw MembershipError(fmt::format("{} asked {}:{} to join, and does not understand the answer: {}",
                                          describe(mine), seed_.host, seed_.port, reason));
      }
      const bool for_me = message->header.to == mine.incarnation || message->header.to == Incarnation{};
      if (!for_me) continue;
      if (const auto* refused = std::get_if<control::JoinRefused>(&message->body)) {
        if (refused->timed_out) throw TimeoutError(refused->reason);
        throw MembershipError(refused->reason);
      }
      if (const auto* joined = std::get_if<control::Joined>(&message->body)) {
        Roster roster = complete_from(*joined, mine);
        if (roster.entries.front().control_address != seed) channel_.forget(seed);
        return roster;
      }
      if (const auto* pending = std::get_if<control::JoinPending>(&message->body)) {
        now = seconds_now();
        if (!last_answer.has_value()) {
          deadline = now + options.complete_timeout;
          repeat = SeedDesk::kRepeat;
          next_question = now + repeat;
          notice = WaitNotice(mine);  // from here on for something else
        }
        last_answer = now;
        missing = pending->missing;
      }
    }
  }

  if (!last_answer.has_value()) {
    // Whoever listens there, if anybody does, never took a question: nothing is worth a closing socket's
    // patience.
    channel_.forget(seed);
    const bool known = !control::resolve_host(seed_.host).empty();
    throw TimeoutError(fmt::format(
        "{} got no answer: no Duet worker answers at {}:{} within {:g} s (DUET_SEED_TIMEOUT){}; check that "
        "rank 0 runs, that it listens where others can reach it (its bind address, firewalls), and that all "
        "workers have the same secret",
        describe(mine), seed_.host, seed_.port, options.answer_timeout,
        known ? "" : " (that host name is not known here)"));
  }
  const double silence = seconds_now() - *last_answer;
  throw TimeoutError(fmt::format(
      "{} waited {:g} s (DUET_JOIN_TIMEOUT) at {}:{} for the run to be complete: {} did not join{}; look "
      "whether they run, and at their messages",
      describe(mine), options.complete_timeout, seed_.host, seed_.port, rank_list(missing),
      silence > 2 * SeedDesk::kRepeat ? fmt::format(", and rank 0 has been silent for {:.0f} s", silence)
                                      : ""));
}

}  // namespace duet::membership
