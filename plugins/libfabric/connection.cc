#include "connection.h"

#include <algorithm>
#include <cstdlib>

#include "endpoint_address.h"

namespace duet::libfabric {

namespace {

/// libfabric wants a pointer, and only hands it back.
void* as_context(const Operation& operation) {
  return reinterpret_cast<void*>(operation.id);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

Connection::Connection(Context& context, std::uint64_t id, const duet_connect_request& request,
                       const std::string& provider)
    : context_(context),
      id_(id),
      session_(request.session),
      peer_(request.peer == nullptr ? "peer" : request.peer),
      provider_(provider) {}

std::string Connection::label() const {
  const std::string where = peer_address_.sin_port == 0 ? "" : to_text(peer_address_) + ", ";
  return peer_ + " (" + where + provider_ + ")";
}

Failure Connection::failure_of(duet_status status, int code, const std::string& what) const {
  const std::string reason = code == 0 ? "" : ": " + fabric_error_text(code);
  return {status, std::abs(code), label() + ": " + what + reason};
}

void Connection::fail(const Failure& failure) {
  state_ = State::kFailed;
  last_failure_ = failure;
  endpoint_.reset();
  sends_.clear();
  receives_.clear();
}

void Connection::suspect(const Failure& failure, bool weak) {
  if (!suspicion_ || (suspicion_is_weak_ && !weak)) {
    suspicion_ = failure;
    suspicion_is_weak_ = weak;
  }
}

ssize_t Connection::submit(Operation& operation) {
  std::deque<Operation*>& queue = operation.is_send ? sends_ : receives_;
  if (state_ == State::kReady && queue.empty()) {
    const ssize_t code = hand_over(operation);
    if (code != -FI_EAGAIN) {
      return code;
    }
  }
  queue.push_back(&operation);
  return 0;
}

ssize_t Connection::flush() {
  const ssize_t code = flush(receives_);
  return code != 0 ? code : flush(sends_);
}

ssize_t Connection::flush(std::deque<Operation*>& queue) {
  while (!queue.empty()) {
    const ssize_t code = hand_over(*queue.front());
    if (code != 0) {
      return code == -FI_EAGAIN ? 0 : code;
    }
    queue.pop_front();
  }
  return 0;
}

ssize_t Connection::hand_over(Operation& operation) {
  try {
    if (operation.mark != nullptr && !operation.mark->passed()) {
      return -FI_EAGAIN;
    }
  } catch (const FailureError& error) {
    device_failure_ = error.failure();
    return -FI_EIO;
  }
  operation.mark.reset();
  void* const descriptor = operation.registration.descriptor();
  const ssize_t code = operation.is_send ? fi_send(endpoint_.get(), operation.data, operation.bytes,
                                                   descriptor, FI_ADDR_UNSPEC, as_context(operation))
                                         : fi_recv(endpoint_.get(), operation.data, operation.bytes,
                                                   descriptor, FI_ADDR_UNSPEC, as_context(operation));
  operation.posted = code == 0;
  return code;
}

Failure Connection::refusal(ssize_t code, const std::string& what) const {
  if (device_failure_) {
    Failure failure = failure_of(DUET_DEVICE_ERROR, 0, what + ": " + device_failure_->text);
    failure.system_error = device_failure_->system_error;
    return failure;
  }
  return failure_of(DUET_PEER_LOST, static_cast<int>(code), what);
}

bool Connection::waits_for_stream() const {
  const auto waits = [](const std::deque<Operation*>& queue) {
    return !queue.empty() && queue.front()->mark != nullptr;
  };
  return state_ == State::kReady && (waits(sends_) || waits(receives_));
}

void Connection::remove_queued(const Operation& operation) {
  std::erase(operation.is_send ? sends_ : receives_, &operation);
}

void Connection::cancel_receive(const Operation& operation) {
  fi_cancel(&endpoint_->fid, as_context(operation));
}

bool Connection::socket_alive() const {
  sockaddr_in address{};
  std::size_t length = sizeof address;
  return fi_getpeer(endpoint_.get(), &address, &length) == 0;
}

}  // namespace duet::libfabric
