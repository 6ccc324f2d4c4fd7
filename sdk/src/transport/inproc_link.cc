#include "transport/inproc_link.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "support/log.h"

namespace duet::transport::inproc {

Mailbox::Mailbox() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (descriptor_ < 0) system_error_ = errno;
}

Mailbox::~Mailbox() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Mailbox::wake() {
  if (!armed_) return;
  armed_ = false;
  signalled_ = true;
  const std::uint64_t one = 1;
  // Fails only when the counter would overflow, and then the descriptor is readable anyway.
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof(one));
}

void Mailbox::complete(std::uint64_t operation, duet_status status, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  completions_.push_back({.operation = operation, .status = status, .reserved = 0, .bytes = bytes});
  wake();
}

void Mailbox::state_changed() {
  const std::lock_guard lock(mutex_);
  state_changed_ = true;
  wake();
}

bool Mailbox::take(std::deque<duet_completion>& completions) {
  const std::lock_guard lock(mutex_);
  armed_ = false;
  if (signalled_) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(descriptor_, &count, sizeof(count));
    signalled_ = false;
  }
  completions.insert(completions.end(), completions_.begin(), completions_.end());
  completions_.clear();
  return std::exchange(state_changed_, false);
}

bool Mailbox::arm() {
  const std::lock_guard lock(mutex_);
  if (state_changed_ || !completions_.empty()) return false;
  armed_ = true;
  return true;
}

bool Link::join(int end, std::shared_ptr<Mailbox> mailbox, std::string peer) {
  const std::lock_guard lock(mutex_);
  End& mine = ends_[end];
  if (mine.mailbox != nullptr) return false;
  mine.mailbox = std::move(mailbox);
  mine.peer = std::move(peer);
  if (ready()) {
    for (End& each : ends_)
      each.mailbox->state_changed();
  }
  return true;
}

void Link::start() {
  const std::lock_guard lock(mutex_);
  match(0);
  match(1);
}

int Link::state(int end, Failure* failure) {
  const std::lock_guard lock(mutex_);
  const End& mine = ends_[end];
  if (mine.failed.status != DUET_OK) {
    *failure = mine.failed;
    return DUET_CONNECTION_FAILED;
  }
  return ready() ? DUET_CONNECTION_READY : DUET_CONNECTION_PENDING;
}

Failure Link::last_error(int end) {
  const std::lock_guard lock(mutex_);
  return ends_[end].last_error;
}

duet_status Link::post(int end, bool send, const Operation& operation, Failure* failure) {
  const std::lock_guard lock(mutex_);
  End& mine = ends_[end];
  if (mine.failed.status != DUET_OK) {
    *failure = mine.failed;
    return mine.failed.status;
  }
  (send ? mine.sends : mine.receives).push_back(operation);
  match(send ? end : 1 - end);
  return DUET_OK;
}

void Link::match(int sender) {
  End& from = ends_[sender];
  End& to = ends_[1 - sender];
  if (!ready()) return;
  while (!from.sends.empty() && !to.receives.empty()) {
    const Operation source = from.sends.front();
    const Operation target = to.receives.front();
    from.sends.pop_front();
    to.receives.pop_front();
    if (source.bytes > target.bytes) {
      const std::string sizes =
          fmt::format("a message of {} bytes met a receive of {} bytes", source.bytes, target.bytes);
      from.last_error = {DUET_MISUSE, from.peer + ": " + sizes};
      to.last_error = {DUET_MISUSE, to.peer + ": " + sizes};
      from.mailbox->complete(source.id, DUET_MISUSE, 0);
      to.mailbox->complete(target.id, DUET_MISUSE, 0);
      continue;
    }
    if (source.bytes > 0) std::memcpy(target.data, source.data, source.bytes);
    from.mailbox->complete(source.id, DUET_OK, source.bytes);
    to.mailbox->complete(target.id, DUET_OK, source.bytes);
  }
}

void Link::end_early(int end, std::uint64_t operation, duet_status status, std::string_view text) {
  const std::lock_guard lock(mutex_);
  End& mine = ends_[end];
  for (auto* queue : {&mine.sends, &mine.receives}) {
    for (auto it = queue->begin(); it != queue->end(); ++it) {
      if (it->id != operation) continue;
      mine.last_error = {status, fmt::format("{}: {} of {} bytes {}", mine.peer,
                                             queue == &mine.sends ? "send" : "receive", it->bytes, text)};
      queue->erase(it);
      mine.mailbox->complete(operation, status, 0);
      return;
    }
  }
}

void Link::drain(End& end, duet_status status) {
  for (auto* queue : {&end.sends, &end.receives}) {
    for (const Operation& operation : *queue)
      end.mailbox->complete(operation.id, status, 0);
    queue->clear();
  }
}

void Link::fail(End& end, duet_status status, std::string_view what) {
  if (end.mailbox == nullptr || end.failed.status != DUET_OK) return;
  end.failed = {status, fmt::format("{} {}", end.peer, what)};
  end.last_error = end.failed;
  drain(end, status);
  end.mailbox->state_changed();
}

void Link::close(int end, std::string_view what) {
  const std::lock_guard lock(mutex_);
  End& mine = ends_[end];
  mine.failed = {DUET_CANCELLED, "closed by this side"};
  drain(mine, DUET_CANCELLED);
  fail(ends_[1 - end], DUET_PEER_LOST, what);
}

void Link::fail_pending(duet_status status, std::string_view what) {
  const std::lock_guard lock(mutex_);
  for (End& end : ends_)
    fail(end, status, what);
}

Registry& Registry::instance() {
  // Never destroyed: a thread may close its context after main() has returned.
  static Registry* const instance = new Registry;
  return *instance;
}

Registry::Registry() {
  std::random_device random;
  process_ = (static_cast<std::uint64_t>(random()) << 32) | random();
}

std::uint64_t Registry::open() {
  const std::lock_guard lock(mutex_);
  const std::uint64_t endpoint = next_endpoint_++;
  endpoints_.insert(endpoint);
  return endpoint;
}

void Registry::close(std::uint64_t endpoint) {
  const std::lock_guard lock(mutex_);
  endpoints_.erase(endpoint);
  auto it = waiting_.lower_bound({endpoint, 0});
  while (it != waiting_.end() && it->first.first == endpoint) {
    it->second->fail_pending(DUET_PEER_LOST, "closed its context");
    it = waiting_.erase(it);
  }
}

std::shared_ptr<Link> Registry::join(std::uint64_t accepting_endpoint, std::uint64_t session, int end,
                                     const std::shared_ptr<Mailbox>& mailbox, const std::string& peer,
                                     Failure* failure) {
  std::shared_ptr<Link> link;
  {
    const std::lock_guard lock(mutex_);
    if (!endpoints_.contains(accepting_endpoint)) {
      *failure = {DUET_PEER_LOST, peer + " closed its context"};
      return nullptr;
    }
    const Key key{accepting_endpoint, session};
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) {
      link = std::make_shared<Link>();
      link->join(end, mailbox, peer);
      waiting_.emplace(key, link);
      return link;
    }
    link = found->second;
    if (!link->join(end, mailbox, peer)) {
      *failure = {
          DUET_MISUSE,
          fmt::format("{}: session {:#x} is already in use: every connection needs its own", peer, session)};
      return nullptr;
    }
    waiting_.erase(found);
  }
  link->start();
  return link;
}

void Registry::leave(std::uint64_t accepting_endpoint, std::uint64_t session,
                     const std::shared_ptr<Link>& link, int end, std::string_view what) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find({accepting_endpoint, session});
    if (found != waiting_.end() && found->second == link) waiting_.erase(found);
  }
  link->close(end, what);
}

bool Registry::expire(std::uint64_t accepting_endpoint, std::uint64_t session,
                      const std::shared_ptr<Link>& link, std::string_view what) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find({accepting_endpoint, session});
  if (found == waiting_.end() || found->second != link) return false;
  link->fail_pending(DUET_TIMED_OUT, what);
  waiting_.erase(found);
  return true;
}

}  // namespace duet::transport::inproc
