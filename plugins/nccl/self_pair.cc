#include "self_pair.h"

#include <utility>

namespace duet::nccl {

std::shared_ptr<SelfPair> SelfPair::of(const Id128& secret) {
  // Never destroyed: contexts may be closed at the very end.
  static std::mutex mutex;
  static auto* const all = new std::map<Id128, std::weak_ptr<SelfPair>>;
  const std::lock_guard lock(mutex);
  std::erase_if(*all, [](const auto& entry) { return entry.second.expired(); });
  auto& entry = (*all)[secret];
  auto pair = entry.lock();
  if (pair == nullptr) {
    pair = std::make_shared<SelfPair>();
    entry = pair;
  }
  return pair;
}

void SelfPair::deposit(const Link::Piece& piece) {
  const std::lock_guard lock(mutex_);
  (piece.send ? sends_ : receives_)[piece.index] = piece.data;
}

bool SelfPair::recall(bool send, std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  return (send ? sends_ : receives_).erase(index) == 1;
}

std::optional<std::vector<Communicator::Piece>> SelfPair::complete(const std::vector<Link::Piece>& pieces) {
  const std::lock_guard lock(mutex_);
  for (const Link::Piece& piece : pieces) {
    if (!(piece.send ? receives_ : sends_).contains(piece.index)) return std::nullopt;
  }
  std::vector<Communicator::Piece> both;
  for (const Link::Piece& piece : pieces) {
    auto& theirs = piece.send ? receives_ : sends_;
    const auto found = theirs.find(piece.index);
    void* const other = found->second;
    theirs.erase(found);
    both.push_back({true, piece.send ? piece.data : other, piece.bytes});
    both.push_back({false, piece.send ? other : piece.data, piece.bytes});
  }
  return both;
}

void SelfPair::set_communicator(std::shared_ptr<Communicator> communicator) {
  const std::lock_guard lock(mutex_);
  communicator_ = std::move(communicator);
}

std::shared_ptr<Communicator> SelfPair::communicator() const {
  const std::lock_guard lock(mutex_);
  return communicator_;
}

}  // namespace duet::nccl
