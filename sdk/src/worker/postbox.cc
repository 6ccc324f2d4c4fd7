#include "worker/postbox.h"

#include <utility>

#include "membership/rendezvous.h"
#include "support/log.h"

namespace duet::worker {

Postbox::Postbox(control::Channel& channel, const membership::Roster& roster, int self)
    : channel_(channel), roster_(roster), self_(self) {
  header_.run = control::run_hash(roster.run_id);
  header_.rank = self;
  header_.from = roster.entries[static_cast<std::size_t>(self)].incarnation;
}

void Postbox::send(int rank, control::Body body) {
  const auto& entry = roster_.entries[static_cast<std::size_t>(rank)];
  control::Message message{header_, std::move(body)};
  message.header.to = entry.incarnation;
  // A full queue drops the message: every protocol above lives with losses.
  channel_.send(entry.control_address, control::encode(message));
}

std::optional<Postbox::Letter> Postbox::receive(int& patience) {
  control::Channel::Received received;
  while (patience > 0 && channel_.receive(received)) {
    --patience;
    std::string reason;
    auto message = control::decode(received.bytes, &reason);
    if (!message) {
      if (++strays_ == 1)
        support::warning("rank {}: ignoring a message that is none of ours: {}", self_, reason);
      continue;
    }
    if (std::holds_alternative<control::Join>(message->body)) {
      membership::answer_late_join(channel_, roster_, self_, *message, received.return_route);
      continue;
    }
    if (!belongs(message->header)) {
      ++strays_;
      continue;
    }
    return Letter{message->header.rank, std::move(message->body)};
  }
  return std::nullopt;
}

bool Postbox::belongs(const control::Header& header) const {
  if (header.run != header_.run || header.to != header_.from) return false;
  if (header.rank < 0 || static_cast<std::size_t>(header.rank) >= roster_.entries.size()) return false;
  return roster_.entries[static_cast<std::size_t>(header.rank)].incarnation == header.from;
}

}  // namespace duet::worker
