#include "membership/rendezvous.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <string_view>

#include "control/channel.h"
#include "control/messages.h"
#include "duet/error.h"
#include "membership/file_rendezvous.h"
#include "membership/local_rendezvous.h"
#include "membership/seed_desk.h"
#include "membership/seed_rendezvous.h"

namespace duet::membership {
namespace {

constexpr std::string_view kSeed = "seed://";
constexpr std::string_view kFile = "file:";
constexpr std::string_view kLocal = "local:";

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

[[noreturn]] void refuse(const std::string& description, const std::string& why) {
  throw ConfigurationError(fmt::format(
      "the rendezvous \"{}\" cannot be used: {}; write seed://HOST:PORT, file:DIRECTORY or local:NAME",
      description, why));
}

}  // namespace

SeedAddress parse_seed(const std::string& description) {
  if (starts_with(description, kFile) || starts_with(description, kLocal)) {
    if (description.back() == ':') refuse(description, "a name is missing behind the colon");
    return {};
  }
  if (!starts_with(description, kSeed))
    refuse(description, "it begins with none of seed://, file: and local:");
  const std::string address = description.substr(kSeed.size());
  if (address.find('[') != std::string::npos || address.find(':') != address.rfind(':')) {
    refuse(description, "IPv6 addresses are not supported");
  }
  if (const std::size_t bad = address.find_first_of("/ \t@?#"); bad != std::string::npos) {
    refuse(description, fmt::format("a '{}' does not belong into an address", address[bad]));
  }
  const std::size_t colon = address.find(':');
  SeedAddress seed{address.substr(0, colon), kDefaultSeedPort};
  if (seed.host.empty()) refuse(description, "the host is missing");
  if (colon == std::string::npos) return seed;
  const std::string port = address.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), seed.port);
  if (error != std::errc() || end != port.data() + port.size() || seed.port < 1 || seed.port > 65535) {
    refuse(description, fmt::format("\"{}\" is no port (1 to 65535)", port));
  }
  return seed;
}

std::unique_ptr<Rendezvous> make_rendezvous(const std::string& description, control::Channel& channel) {
  const SeedAddress seed = parse_seed(description);
  if (starts_with(description, kFile))
    return std::make_unique<FileRendezvous>(description.substr(kFile.size()));
  if (starts_with(description, kLocal))
    return std::make_unique<LocalRendezvous>(description.substr(kLocal.size()));
  return std::make_unique<SeedRendezvous>(seed, channel);
}

bool answer_late_join(control::Channel& channel, const Roster& roster, int self,
                      const control::Message& message, const std::string& return_route) {
  const auto* join = std::get_if<control::Join>(&message.body);
  if (join == nullptr) return false;
  const control::Header header{.run = control::run_hash(roster.run_id),
                               .epoch = 0,
                               .rank = self,
                               .from = roster.entries.at(static_cast<std::size_t>(self)).incarnation,
                               .to = join->entry.incarnation};
  channel.reply(return_route, control::encode({header, late_answer(roster, message.header, join->entry)}));
  return true;
}

}  // namespace duet::membership
