#include "ticket.h"

#include "failure.h"

namespace duet::nccl {
namespace {

constexpr std::uint64_t kMagic = 0x31544e44;  // "DNT1"

}  // namespace

std::string Ticket::encode() const {
  std::array<unsigned char, kBytes> bytes{};
  ByteWriter to(bytes.data());
  to.number(kMagic, 4);
  to.number(session);
  to.raw(secret.data(), secret.size());
  to.raw(id.data(), id.size());
  to.number(hash_of({reinterpret_cast<const char*>(bytes.data()), to.written()}));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Ticket Ticket::decode(const void* bytes, std::uint64_t size, std::uint64_t session, const std::string& peer) {
  const auto refuse = [&](const std::string& why) {
    return FailureError(DUET_MISUSE,
                        peer + ": session " + std::to_string(session) + " cannot be opened: " + why);
  };
  if (bytes == nullptr || size == 0) {
    throw refuse(
        "there is no ticket; the accepting side makes one (make_ticket) and the host carries it to both");
  }
  const auto* from = static_cast<const unsigned char*>(bytes);
  ByteReader reader(from);
  if (size != kBytes || reader.number(4) != kMagic) throw refuse("its ticket is none of this transport's");
  Ticket ticket;
  ticket.session = reader.number();
  reader.raw(ticket.secret.data(), ticket.secret.size());
  reader.raw(ticket.id.data(), ticket.id.size());
  if (reader.number() != hash_of({reinterpret_cast<const char*>(from), kBytes - 8}))
    throw refuse("its ticket was damaged on the way");
  if (ticket.session != session)
    throw refuse("its ticket belongs to session " + std::to_string(ticket.session));
  return ticket;
}

}  // namespace duet::nccl
