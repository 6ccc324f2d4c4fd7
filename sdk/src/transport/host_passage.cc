#include "transport/host_passage.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace duet::transport {
namespace {

constexpr const char* kPurpose = "a message's passage through the device";
constexpr std::size_t kSmallest = 4096;
constexpr double kDrainSeconds = 5.0;

bool past(std::uint64_t deadline, std::uint64_t now) {
  return deadline != 0 && now >= deadline;
}

}  // namespace

HostPassage::Piece::~Piece() {
  // Once for all pieces: what one has waited for in vain the others need not.
  if (!device->given_up() && !moved.wait(kDrainSeconds)) device->give_up("a message's passage");
}

HostPassage::HostPassage(std::shared_ptr<device::Device> device)
    : device_(std::move(device)), outgoing_(device_->make_stream()), incoming_(device_->make_stream()) {}

HostPassage::~HostPassage() = default;

std::shared_ptr<HostPassage::Piece> HostPassage::take(std::uint64_t bytes) {
  std::shared_ptr<Piece>* best = nullptr;
  for (auto& piece : pieces_) {
    // Shared by nobody: no operation has it any more.
    if (piece->bytes < bytes || piece.use_count() > 1 || !piece->moved.done()) continue;
    if (best == nullptr || piece->bytes < (*best)->bytes) best = &piece;
  }
  if (best != nullptr) return *best;
  auto made = std::make_shared<Piece>();
  made->device = device_;
  made->bytes = std::max<std::size_t>(bytes, kSmallest);
  made->here = device_->allocate_pinned(made->bytes, kPurpose);
  made->there = device_->allocate(made->bytes, kPurpose);
  made->moved = device_->make_event();
  pieces_.push_back(made);
  return made;
}

duet_memory HostPassage::memory(const Piece& piece, std::uint64_t bytes) const {
  // What it holds is there, or free, before it is posted: no stream has to be waited for.
  return {.data = piece.there.get(),
          .bytes = bytes,
          .kind = DUET_MEMORY_CUDA,
          .device = device_->index(),
          .stream = nullptr,
          .registration = nullptr};
}

bool HostPassage::send(Connection& connection, const void* data, std::uint64_t bytes,
                       std::uint64_t deadline_ns, Completion done) {
  auto piece = take(bytes);
  if (bytes > 0) std::memcpy(piece->here.get(), data, bytes);
  outgoing_.copy(piece->there.get(), piece->here.get(), bytes, device::Direction::kToDevice);
  piece->moved.record(outgoing_);
  departing_[&connection].push_back({std::move(piece), bytes, deadline_ns, std::move(done)});
  return true;
}

bool HostPassage::receive(Connection& connection, void* data, std::uint64_t bytes, std::uint64_t deadline_ns,
                          Completion done) {
  auto piece = take(bytes);
  const duet_memory there = memory(*piece, bytes);
  return connection.post(false, there, deadline_ns,
                         [this, piece = std::move(piece), data, deadline_ns, done = std::move(done)](
                             duet_status status, std::uint64_t moved) {
                           if (status != DUET_OK || moved == 0) {
                             if (done) done(status, moved);
                             return;
                           }
                           incoming_.copy(piece->here.get(), piece->there.get(), moved,
                                          device::Direction::kToHost);
                           piece->moved.record(incoming_);
                           arriving_.push_back({piece, data, moved, deadline_ns, done});
                         });
}

void HostPassage::close(const Connection& connection) {
  const auto found = departing_.find(&connection);
  if (found == departing_.end()) return;
  for (Departure& departure : found->second)
    ended_.push_back({std::move(departure.done), DUET_CANCELLED, 0});
  departing_.erase(found);
}

void HostPassage::depart(std::uint64_t now) {
  for (auto at = departing_.begin(); at != departing_.end();) {
    auto& [connection, queue] = *at;
    while (!queue.empty()) {
      Departure& next = queue.front();
      if (!next.piece->moved.done()) {
        if (!past(next.deadline, now)) break;
        ended_.push_back({std::move(next.done), DUET_TIMED_OUT, 0});
      } else if (!const_cast<Connection*>(connection)
                      ->post(true, memory(*next.piece, next.bytes), next.deadline,
                             // The piece is the transport's until then.
                             [piece = next.piece, done = next.done](duet_status status, std::uint64_t bytes) {
                               if (done) done(status, bytes);
                             })) {
        break;
      }
      queue.pop_front();
    }
    at = queue.empty() ? departing_.erase(at) : std::next(at);
  }
}

void HostPassage::arrive(std::uint64_t now) {
  for (auto at = arriving_.begin(); at != arriving_.end();) {
    if (at->piece->moved.done()) {
      std::memcpy(at->data, at->piece->here.get(), at->bytes);
      ended_.push_back({std::move(at->done), DUET_OK, at->bytes});
    } else if (past(at->deadline, now)) {
      ended_.push_back({std::move(at->done), DUET_TIMED_OUT, 0});
    } else {
      break;  // those behind it are not here before it
    }
    at = arriving_.erase(at);
  }
}

std::size_t HostPassage::advance(std::uint64_t now_ns) {
  depart(now_ns);
  arrive(now_ns);
  // What callbacks add is for the next time.
  std::size_t ran = 0;
  for (std::size_t left = ended_.size(); left > 0 && !ended_.empty(); --left) {
    const End end = std::move(ended_.front());
    ended_.pop_front();
    ++ran;
    if (end.done) end.done(end.status, end.bytes);
  }
  return ran;
}

std::size_t HostPassage::in_flight() const {
  std::size_t count = arriving_.size() + ended_.size();
  for (const auto& [connection, queue] : departing_)
    count += queue.size();
  return count;
}

}  // namespace duet::transport
