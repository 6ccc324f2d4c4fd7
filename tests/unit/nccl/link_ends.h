#pragma once

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "link.h"

namespace duet::nccl {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr bool kSend = true, kReceive = false;

/// One end of a link with the world that it lives in: a line, which this test carries, and a communicator,
/// which does what this test says.
struct End {
  explicit End(bool leader, std::uint64_t deadline = 0) : link(leader, deadline, "rank 3") {}

  /// Carries out what the link wants; what it says waits in `said`.
  void act() {
    for (auto actions = link.take_actions(); !actions.empty(); actions = link.take_actions()) {
      for (auto& action : actions) {
        if (auto* say = std::get_if<Link::Say>(&action)) {
          EXPECT_FALSE(hung_up) << "speaks after it hung up";
          said.push_back(say->frame);
        } else if (auto* announce = std::get_if<Link::Announce>(&action)) {
          Frame frame;
          frame.kind = announce->piece.send ? FrameKind::kPostedSend : FrameKind::kPostedReceive;
          frame.first = announce->piece.index;
          frame.second = announce->piece.bytes;
          said.push_back(frame);
        } else if (std::holds_alternative<Link::OpenCommunicator>(action)) {
          ++opened;
        } else if (auto* launch = std::get_if<Link::Launch>(&action)) {
          EXPECT_EQ(released, 0) << "launches on what it has released";
          groups.push_back(launch->pieces);
        } else if (std::holds_alternative<Link::Release>(action)) {
          ++released;
        } else if (std::holds_alternative<Link::HangUp>(action)) {
          hung_up = true;
        }
      }
    }
    for (const auto& one : link.take_done()) {
      EXPECT_FALSE(done.contains(one.id)) << "operation " << one.id << " completed twice";
      done[one.id] = one.status;
    }
  }
  void post(std::uint64_t id, bool send, std::uint64_t bytes = 100, std::uint64_t deadline = 0,
            bool ready = true) {
    EXPECT_EQ(link.post({id, send, &memory, bytes, deadline, ready}), DUET_OK);
    act();
  }
  std::vector<std::pair<bool, std::uint64_t>> group(std::size_t index) const {
    std::vector<std::pair<bool, std::uint64_t>> pieces;
    for (const auto& piece : groups.at(index))
      pieces.emplace_back(piece.send, piece.index);
    return pieces;
  }
  duet_status status(std::uint64_t id) const { return done.contains(id) ? done.at(id) : -1; }

  Link link;
  int opened = 0, released = 0;
  bool hung_up = false;
  std::vector<std::vector<Link::Piece>> groups;
  std::map<std::uint64_t, duet_status> done;
  std::vector<Frame> said;
  int memory = 0;
};

/// Both ends, and a line between them.
struct Links {
  void meet() {
    for (End* end : {&leader, &follower}) {
      end->link.met();
      end->act();
      end->link.communicator_ready();
      end->act();
    }
    talk();
  }
  /// Until nobody has anything to say.
  void talk() {
    while (!leader.said.empty() || !follower.said.empty()) {
      hand_over(leader, follower);
      hand_over(follower, leader);
    }
  }
  void hand_over(End& from, End& to) {
    for (const Frame& frame : std::exchange(from.said, {})) {
      to.link.on_frame(frame, now);
      to.act();
    }
  }
  void finish_groups() {
    for (End* end : {&leader, &follower}) {
      end->link.groups_finished(end->groups.size());
      end->act();
    }
    talk();
  }
  End leader{true}, follower{false};
  std::uint64_t now = kSecond;
};

}  // namespace duet::nccl
