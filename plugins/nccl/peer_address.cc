#include "peer_address.h"

#include <arpa/inet.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string_view>

#include "failure.h"

namespace duet::nccl {
namespace {

constexpr std::string_view kScheme = "duet-nccl://";

std::string printable(std::string_view text) {
  std::string result;
  for (const char character : text.substr(0, 60))
    result += std::isprint(static_cast<unsigned char>(character)) != 0 ? character : '?';
  return result;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Id128> parse_id(std::string_view text) {
  Id128 id{};
  if (text.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const auto byte = parse_number<unsigned>(text.substr(2 * i, 2), 16);
    if (!byte) return std::nullopt;
    id[i] = static_cast<unsigned char>(*byte);
  }
  return id;
}

/// Cuts the next word off.
std::string_view next_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

std::string to_text(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

std::string to_text(const Id128& id) {
  std::string text;
  for (const unsigned char byte : id) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", byte);
    text += pair;
  }
  return text;
}

bool is_loopback(const sockaddr_in& address) {
  return (ntohl(address.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}

std::string PeerAddress::encode() const {
  char number[17];
  std::snprintf(number, sizeof number, "%016llx", static_cast<unsigned long long>(host));
  return std::string(kScheme) + to_text(line) + " gpu=" + to_text(gpu) + " process=" + to_text(process) +
         " host=" + number;
}

PeerAddress PeerAddress::decode(const std::string& blob, const std::string& peer) {
  const auto refuse = [&](const std::string& why) {
    return FailureError(DUET_MISUSE, peer + ": NCCL address \"" + printable(blob) + "\": " + why);
  };
  if (!blob.starts_with(kScheme)) throw refuse("not an address of this transport");
  std::string_view rest = std::string_view(blob).substr(kScheme.size());
  const std::string_view where = next_word(rest);
  const std::size_t colon = std::min(where.rfind(':'), where.size());
  const std::string name(where.substr(0, colon));
  const auto port = parse_number<std::uint16_t>(where.substr(std::min(colon + 1, where.size())), 10);
  PeerAddress address;
  address.line.sin_family = AF_INET;
  if (inet_pton(AF_INET, name.c_str(), &address.line.sin_addr) != 1 || !port || *port == 0)
    throw refuse("no IPv4 address and port");
  address.line.sin_port = htons(*port);
  const auto value = [&](std::string_view key) {
    const std::string_view word = next_word(rest);
    return word.starts_with(key) ? word.substr(key.size()) : std::string_view();
  };
  const auto gpu = parse_id(value("gpu="));
  const auto process = parse_id(value("process="));
  const auto host = parse_number<std::uint64_t>(value("host="), 16);
  if (!gpu || !process || !host || !rest.empty()) throw refuse("GPU, process or host are not readable");
  address.gpu = *gpu;
  address.process = *process;
  address.host = *host;
  return address;
}

Id128 random_id() {
  Id128 id{};
  if (getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
    throw FailureError(DUET_BROKEN, "NCCL: the system gives no random numbers");
  return id;
}

const Id128& own_process() {
  static const Id128 id = random_id();
  return id;
}

std::uint64_t own_host() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  struct stat net {};
  if (stat("/proc/self/ns/net", &net) == 0) boot += ":" + std::to_string(net.st_ino);
  return hash_of(boot);
}

}  // namespace duet::nccl
