#include <algorithm>
#include <utility>

#include "context.h"

/// The half of Context that runs in poll(): what the lines and the device report, and what links decide.
namespace duet::nccl {
namespace {

constexpr std::size_t kMostVisitors = 256;
/// A visitor that has not said who it is by then is sent away; one that has waits for its accept(), until it
/// hangs up by itself.
constexpr std::uint64_t kIntroductionPatience = 5'000'000'000;

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

std::uint64_t Context::progress() {
  const std::uint64_t now = Host::now_ns();
  waker_->clear();
  receive_visitors(now);
  for (const auto& connection : connections_)
    progress(*connection, now);
  forget_ended();
  return now;
}

void Context::receive_visitors(std::uint64_t now) {
  for (;;) {
    Descriptor socket = listener_.accept();
    if (socket.get() < 0) break;
    if (visitors_.size() >= kMostVisitors) continue;  // closed again: whoever it was tries again
    watch(socket.get(), false);
    visitors_.push_back({Line(std::move(socket)), now, 0, {}, false, false});
  }
  for (Visitor& visitor : visitors_) {
    std::string why;
    const bool stays = visitor.line.exchange(
        [&](const Frame& frame) {
          // A second frame before the welcome, or no ticket of ours behind it: no peer of ours.
          if (visitor.introduced || frame.kind != FrameKind::kHello ||
              !tickets_.opens(frame.first, frame.secret)) {
            visitor.gone = true;
            return;
          }
          visitor.introduced = true;
          visitor.session = frame.first;
          visitor.hello = frame;
        },
        &why);
    const bool silent = !visitor.introduced && now >= visitor.since + kIntroductionPatience;
    if (visitor.gone || silent) {
      Host::count("nccl_visitors_rejected");
      Frame goodbye;
      goodbye.first = DUET_PEER_LOST;
      visitor.line.say(goodbye);
      visitor.line.flush();
    }
    if (!stays || silent) visitor.gone = true;
    if (visitor.gone || !visitor.introduced) continue;
    for (const auto& connection : connections_) {
      if (connection->accepting && connection->ticket.session == visitor.session &&
          connection->ticket.secret == visitor.hello.secret &&
          connection->link.phase() == Link::Phase::kDialing) {
        meet(*connection, visitor);
        break;
      }
    }
  }
  std::erase_if(visitors_, [](const Visitor& visitor) { return visitor.gone; });
}

void Context::meet(Connection& connection, Visitor& visitor) {
  visitor.gone = true;
  connection.line = std::move(visitor.line);
  if (visitor.hello.process == address_.process && visitor.hello.gpu == address_.gpu)
    connection.self_pair = SelfPair::of(connection.ticket.secret);
  connection.link.met();
  connection.last_used = Host::now_ns();
  // A pair in one process finds the communicator there when it hears the welcome.
  act(connection);
}

void Context::progress(Connection& connection, std::uint64_t now) {
  if (connection.line) {
    std::string why;
    connection.line_in_use = true;
    const bool lost = !connection.line->exchange(
        [&](const Frame& frame) {
          // The device may have been faster than the peer's word.
          look_at_communicator(connection);
          on_frame(connection, frame, now);
        },
        &why);
    connection.line_in_use = false;
    if (lost) {
      look_at_communicator(connection);
      connection.link.line_lost(why, now);
    }
    if (lost || connection.line_over) connection.line.reset();
  }
  look_at_memory(connection);
  look_at_communicator(connection);
  connection.link.tick(now);
  act(connection);
}

void Context::on_frame(Connection& connection, const Frame& frame, std::uint64_t now) {
  if (!connection.accepting && !connection.greeted && frame.kind == FrameKind::kWelcome) {
    connection.greeted = true;
    if (frame.process != connection.peer.process) {
      connection.link.refused({DUET_PEER_LOST, 0, "another process answers at its address"});
    } else {
      connection.link.met();
    }
  } else {
    connection.link.on_frame(frame, now);
  }
  act(connection);
}

void Context::look_at_memory(Connection& connection) {
  if (connection.awaited.empty()) return;
  const Device::Current current(*device_);
  std::vector<std::uint64_t> ready;
  std::erase_if(connection.awaited, [&](const auto& waiting) {
    const CUresult result = device_->driver().event_query(waiting.second);
    if (result == CUDA_ERROR_NOT_READY) return false;
    if (result == CUDA_SUCCESS) {
      ready.push_back(waiting.first);
    } else {
      connection.link.refused({DUET_DEVICE_ERROR, static_cast<int>(result),
                               "the memory's stream: CUDA says " + device_->driver().error_text(result)});
    }
    spare_events_.push_back(waiting.second);
    return true;
  });
  for (const std::uint64_t id : ready)
    connection.link.memory_ready(id);
}

void Context::look_at_communicator(Connection& connection) {
  if (connection.communicator == nullptr) return;
  const Communicator::Report report = connection.communicator->look();
  Link& link = connection.link;
  if (report.phase == Communicator::Phase::kReady && !report.failure) link.communicator_ready();
  link.groups_finished(report.groups_finished);
  if (report.failure) link.communicator_failed(*report.failure);
  // The other end of a pair in this process may have released what both share; it said goodbye before.
  if (report.phase >= Communicator::Phase::kReleasing && !connection.line)
    link.communicator_failed({DUET_PEER_LOST, 0, "the peer closed the connection"});
  act(connection);
  if (report.phase == Communicator::Phase::kReleased) {
    link.released();
    connection.communicator.reset();
    collect(connection);
  }
}

void Context::act(Connection& connection) {
  for (auto actions = connection.link.take_actions(); !actions.empty();
       actions = connection.link.take_actions()) {
    for (const Link::Action& action : actions) {
      std::visit(Overloaded{[&](const Link::Say& say) {
                              if (connection.line) connection.line->say(say.frame);
                            },
                            [&](const Link::Announce& announce) { carry_out(connection, announce); },
                            [&](const Link::OpenCommunicator&) { open_communicator(connection); },
                            [&](const Link::Launch& group) { launch(connection, group); },
                            [&](const Link::Release&) {
                              if (connection.communicator != nullptr) {
                                connection.communicator->release();
                              } else {
                                connection.link.released();  // it never came about
                              }
                            },
                            [&](const Link::HangUp&) { hang_up(connection); }},
                 action);
    }
  }
  collect(connection);
  if (!connection.line || connection.line_over) return;
  connection.line->flush();
  const int wanted = connection.line->wants_to_send() ? 1 : 0;
  if (connection.watched != wanted) watch(connection.line->descriptor(), wanted == 1);
  connection.watched = wanted;
}

void Context::carry_out(Connection& connection, const Link::Announce& announce) {
  const Link::Piece& piece = announce.piece;
  if (connection.self_pair != nullptr && !connection.accepting) connection.self_pair->deposit(piece);
  Frame frame;
  frame.kind = piece.send ? FrameKind::kPostedSend : FrameKind::kPostedReceive;
  frame.first = piece.index;
  frame.second = piece.bytes;
  if (connection.line) connection.line->say(frame);
}

void Context::open_communicator(Connection& connection) {
  make_room(connection);
  if (connection.self_pair != nullptr && !connection.accepting) {
    connection.communicator = connection.self_pair->communicator();
    if (connection.communicator == nullptr) {
      connection.link.communicator_failed({DUET_PEER_LOST, 0, "the peer closed the connection"});
      return;
    }
  } else {
    const int ranks = connection.self_pair != nullptr ? 1 : 2;
    const int rank = connection.accepting ? 0 : 1;
    connection.communicator =
        Communicator::open(device_, library_, connection.ticket.id, ranks, rank, settings_.ctas);
    if (connection.self_pair != nullptr) connection.self_pair->set_communicator(connection.communicator);
    Host::count("nccl_communicators_opened");
  }
  connection.communicator->add_waker(waker_);
  if (!connection.accepting) return;
  tickets_.settle(connection.ticket.session, true);
  if (connection.line) connection.line->say(introduction(FrameKind::kWelcome));
}

/// A communicator costs device memory, so idle ones give way to new ones. Busy ones do not: a tree pass needs
/// all of a worker's links at once, and would wait for ever for room.
void Context::make_room(const Connection& for_whom) {
  const auto open = std::count_if(connections_.begin(), connections_.end(), [&](const auto& connection) {
    return connection->communicator != nullptr && !connection->link.failed();
  });
  if (open < settings_.communicators) return;
  Connection* oldest = nullptr;
  for (const auto& connection : connections_) {
    if (connection.get() == &for_whom || !connection->link.idle()) continue;
    if (oldest == nullptr || connection->last_used < oldest->last_used) oldest = connection.get();
  }
  if (oldest != nullptr) {
    Host::count("nccl_communicators_evicted");
    oldest->link.evict(settings_.communicators);
    act(*oldest);
    return;
  }
  Host::count("nccl_communicators_beyond_cap");
  if (std::exchange(warned_of_cap_, true)) return;
  Host::log(DUET_LOG_INFO, "nccl: more than " + std::to_string(settings_.communicators) +
                               " communicators are in use at once (setting communicators); they take device "
                               "memory until they are idle");
}

void Context::launch(Connection& connection, const Link::Launch& group) {
  connection.last_used = Host::now_ns();
  if (connection.communicator == nullptr) return;
  if (connection.self_pair != nullptr) {
    // The leader launches both ends'; the other only waits for the same group.
    if (!connection.accepting) return;
    if (auto pieces = connection.self_pair->complete(group.pieces)) {
      connection.communicator->launch(std::move(*pieces));
    } else {
      connection.link.communicator_failed({DUET_PEER_LOST, 0, "the peer took an operation back"});
    }
    return;
  }
  std::vector<Communicator::Piece> pieces;
  for (const Link::Piece& piece : group.pieces)
    pieces.push_back({piece.send, piece.data, piece.bytes});
  connection.communicator->launch(std::move(pieces));
}

void Context::hang_up(Connection& connection) {
  if (connection.line) {
    connection.line->flush();
    connection.line_over = true;
    if (!connection.line_in_use) connection.line.reset();
  }
  if (connection.accepting) tickets_.settle(connection.ticket.session, false);
}

void Context::collect(Connection& connection) {
  for (const Link::Done& done : connection.link.take_done())
    finished_.push_back({done.id, done.status, 0, done.bytes});
  const Link& link = connection.link;
  const bool ready = link.phase() == Link::Phase::kReady && !std::exchange(connection.told_ready, true);
  const bool failed = link.failed() && !std::exchange(connection.told_failed, true);
  if (failed && !link.closed()) {
    Host::count("transport_connections_failed");
    Host::log(DUET_LOG_DEBUG, "nccl: " + link.failure().text);
  }
  if (ready || failed) state_changed_ = true;
}

void Context::forget_ended() {
  std::erase_if(connections_, [&](const auto& connection) {
    if (!connection->link.closed() || connection->link.phase() != Link::Phase::kEnded) return false;
    for (const auto& [id, event] : connection->awaited)
      spare_events_.push_back(event);
    return true;
  });
}

}  // namespace duet::nccl
