#include "membership/roster.h"

#include <spdlog/fmt/fmt.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "duet/error.h"

namespace duet::membership {
namespace {

/// Splits off what comes before the next of `separators`.
std::string_view next_piece(std::string_view& text, std::string_view separators) {
  const std::size_t end = std::min(text.find_first_of(separators), text.size());
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

std::string quoted(std::string_view piece) {
  constexpr std::size_t kLongest = 200;
  if (piece.empty()) return "nothing";
  if (piece.size() > kLongest) return fmt::format("\"{}…\"", piece.substr(0, kLongest));
  return fmt::format("\"{}\"", piece);
}

struct Difference {
  int number = 0;  ///< of the piece, from 1; 0: the texts are equal
  std::string_view first, second;
};

Difference first_difference(std::string_view first, std::string_view second, std::string_view separators) {
  for (int number = 1; !first.empty() || !second.empty(); ++number) {
    const std::string_view a = trimmed(next_piece(first, separators));
    const std::string_view b = trimmed(next_piece(second, separators));
    if (a != b) return {number, a, b};
  }
  return {};
}

std::string schema_difference(const Entry& first, const Entry& second) {
  const Difference difference = first_difference(first.schema, second.schema, "\n");
  if (difference.number == 0) {
    return "they differ beyond what their shortened descriptions show";
  }
  return fmt::format("tensor {} is {} on rank {} and {} on rank {}", difference.number,
                     quoted(difference.first), first.rank, quoted(difference.second), second.rank);
}

bool has(const Entry& entry, std::string_view transport) {
  return std::any_of(entry.transports.begin(), entry.transports.end(),
                     [&](const TransportAddress& address) { return address.name == transport; });
}

constexpr std::string_view kInproc = "inproc";

/// Alone among transports the in-process one is no use to workers that both have it, but are two processes.
bool shares_transport(const Entry& first, const Entry& second) {
  const bool one_process = first.host == second.host && first.pid == second.pid;
  return std::any_of(first.transports.begin(), first.transports.end(), [&](const TransportAddress& address) {
    return has(second, address.name) && (one_process || address.name != kInproc);
  });
}

std::string transport_names(const Entry& entry) {
  if (entry.transports.empty()) return "none";
  std::string names;
  for (const TransportAddress& transport : entry.transports)
    names += (names.empty() ? "" : " or ") + quoted(transport.name);
  return names;
}

}  // namespace

const std::string& Roster::transport_address(int rank) const {
  static const std::string nowhere;
  for (const TransportAddress& address : entries.at(static_cast<std::size_t>(rank)).transports) {
    if (address.name == transport) return address.address;
  }
  return nowhere;
}

std::string choose_transport(const std::vector<Entry>& entries) {
  for (const TransportAddress& candidate : entries.at(0).transports) {
    if (std::all_of(entries.begin(), entries.end(),
                    [&](const Entry& entry) { return has(entry, candidate.name); })) {
      return candidate.name;
    }
  }
  std::string all;
  for (const Entry& entry : entries)
    all += fmt::format("\n  {}: {}", describe(entry), transport_names(entry));
  throw MembershipError("there is no transport that all members have; install or name one everywhere:" + all);
}

Incarnation Incarnation::random() {
  std::uint64_t words[2];
  std::size_t filled = 0;
  while (filled < sizeof words) {
    const ssize_t got = getrandom(reinterpret_cast<char*>(words) + filled, sizeof words - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw MembershipError("the system has no random numbers for a worker's identity (getrandom)");
    filled += static_cast<std::size_t>(got);
  }
  // RFC 4122, version 4.
  return {(words[0] & ~0xf000ull) | 0x4000ull, (words[1] & ~(3ull << 62)) | (2ull << 62)};
}

std::string Incarnation::text() const {
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xffff,
                     low >> 48, low & 0xffffffffffff);
}

std::string describe(const Entry& entry) {
  // It comes from outside: no host name is longer, and the text goes into answers that have a limit.
  constexpr std::size_t kLongestHost = 255;
  const std::string_view host =
      entry.host.empty() ? "?" : std::string_view(entry.host).substr(0, kLongestHost);
  return fmt::format("rank {} (pid {} on {})", entry.rank, entry.pid, host);
}

void require_compatible(const Entry& first, const Entry& second) {
  const auto refuse = [&](const std::string& why) {
    throw MembershipError(
        fmt::format("{} and {} cannot train together: {}", describe(first), describe(second), why));
  };
  for (const Entry* entry : {&first, &second}) {
    if (entry->rank < 0 || entry->rank >= entry->world_size) {
      refuse(fmt::format(
          "there is no rank {} among {} workers; check what the launcher sets as rank and world size",
          entry->rank, entry->world_size));
    }
  }
  if (first.world_size != second.world_size) {
    refuse(fmt::format("the one expects {} workers, the other {}; start all of them with the same world size",
                       first.world_size, second.world_size));
  }
  if (first.rank == second.rank && first.incarnation != second.incarnation) {
    refuse(
        "both claim the same rank; give every worker its own, and look for a worker of an earlier run that "
        "is still "
        "there");
  }
  if (first.schema_hash != second.schema_hash) {
    refuse(fmt::format("their models differ: {}; build the same model with the same dtypes on every worker",
                       schema_difference(first, second)));
  }
  if (const Difference difference = first_difference(first.options, second.options, "\n;,");
      difference.number > 0) {
    refuse(fmt::format("their options differ: {} against {}; start all of them with the same options",
                       quoted(difference.first), quoted(difference.second)));
  }
  if (!shares_transport(first, second)) {
    if (has(first, kInproc) && has(second, kInproc)) {
      refuse(
          "the transport \"inproc\" reaches only workers in the same process, and these are two processes; "
          "use libfabric, on all workers (DUET_TRANSPORT=libfabric)");
    }
    refuse(fmt::format("the one has the transport {}, the other {}; choose the same one everywhere",
                       transport_names(first), transport_names(second)));
  }
}

}  // namespace duet::membership
