#include "inbox.h"

#include <utility>

namespace duet::observer {

void Inbox::put(Arrival arrival) {
  const std::lock_guard lock(mutex_);
  bytes_ += arrival.bytes.size() + kOverhead;
  waiting_.push_back(std::move(arrival));
  while (bytes_ > most_bytes_ && !waiting_.empty()) {
    bytes_ -= waiting_.front().bytes.size() + kOverhead;
    waiting_.pop_front();
    ++totals_.dropped;
  }
}

bool Inbox::take(std::size_t most, std::vector<Arrival>& into) {
  const std::lock_guard lock(mutex_);
  for (std::size_t count = 0; count < most && !waiting_.empty(); ++count) {
    const std::size_t size = waiting_.front().bytes.size();
    bytes_ -= size + kOverhead;
    ++totals_.frames;
    totals_.bytes += size;
    into.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return !waiting_.empty();
}

Inbox::Totals Inbox::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace duet::observer
