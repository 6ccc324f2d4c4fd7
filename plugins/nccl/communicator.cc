#include "communicator.h"

#include <pthread.h>

#include <cstring>
#include <thread>
#include <utility>

namespace duet::nccl {

std::shared_ptr<Communicator> Communicator::open(std::shared_ptr<const Device> device,
                                                 const NcclLibrary& library, const UniqueId& id, int ranks,
                                                 int rank, int ctas) {
  auto made = std::make_shared<Communicator>(PrivateTag{}, std::move(device), library, ranks, rank);
  const std::lock_guard lock(made->mutex_);
  made->begin(id, ctas);
  return made;
}

Communicator::Communicator(PrivateTag, std::shared_ptr<const Device> device, const NcclLibrary& library,
                           int ranks, int rank)
    : device_(std::move(device)),
      library_(library),
      ranks_(ranks),
      peer_(ranks == 1 ? 0 : 1 - rank),
      rank_(rank) {}

Communicator::~Communicator() = default;

void Communicator::begin(const UniqueId& id, int ctas) {
  const Device::Current current(*device_);
  if (!fail_cuda("no stream", device_->driver().stream_create(&stream_, CU_STREAM_NON_BLOCKING, 0))) {
    return;
  }
  ncclUniqueId unique{};
  std::memcpy(unique.internal, id.data(), id.size());
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.maxCTAs = ctas;
  const ncclResult_t result = library_.init_rank(&communicator_, ranks_, unique, rank_, &config);
  if (result != ncclSuccess && result != ncclInProgress) fail_nccl("no communicator", result);
}

void Communicator::add_waker(std::shared_ptr<const Waker> waker) {
  const std::lock_guard lock(mutex_);
  wakers_.push_back(std::move(waker));
}

Communicator::Report Communicator::look() {
  const std::lock_guard lock(mutex_);
  if (phase_ < Phase::kReleasing && !failure_) {
    const Device::Current current(*device_);
    progress();
  }
  return {phase_, groups_finished_, failure_};
}

void Communicator::progress() {
  // Also tells of failures of the network under a running group.
  ncclResult_t state = ncclSuccess;
  const ncclResult_t asked = library_.async_error(communicator_, &state);
  if (asked != ncclSuccess) return fail_nccl("the communicator is broken", asked);
  if (state != ncclSuccess && state != ncclInProgress) {
    return fail_nccl(phase_ == Phase::kOpening ? "no communicator" : "the communicator failed", state);
  }
  if (phase_ == Phase::kOpening && state == ncclSuccess) phase_ = Phase::kReady;
  if (state == ncclSuccess && std::exchange(enqueuing_, false)) record();
  while (phase_ == Phase::kReady && state == ncclSuccess && !enqueuing_ && !waiting_.empty() && !failure_)
    enqueue();
  while (!running_.empty() && !failure_) {
    const CUresult result = device_->driver().event_query(running_.front());
    if (result == CUDA_ERROR_NOT_READY) break;
    if (!fail_cuda("a group of sends and receives failed", result)) return;
    spare_events_.push_back(running_.front());
    running_.pop_front();
    ++groups_finished_;
  }
}

void Communicator::launch(std::vector<Piece> pieces) {
  const std::lock_guard lock(mutex_);
  if (phase_ >= Phase::kReleasing) return;
  waiting_.push_back(std::move(pieces));
  if (failure_) return;
  const Device::Current current(*device_);
  progress();
}

void Communicator::enqueue() {
  const std::vector<Piece> pieces = std::move(waiting_.front());
  waiting_.pop_front();
  ncclResult_t result = library_.group_start();
  for (const Piece& piece : pieces) {
    if (result != ncclSuccess && result != ncclInProgress) break;
    if (piece.bytes == 0) continue;
    result = piece.send ? library_.send(piece.data, piece.bytes, ncclInt8, peer_, communicator_, stream_)
                        : library_.receive(piece.data, piece.bytes, ncclInt8, peer_, communicator_, stream_);
  }
  // A group that was begun must be ended, whatever happened inside.
  const ncclResult_t ended = library_.group_end();
  if (result != ncclSuccess && result != ncclInProgress)
    return fail_nccl("a send or receive was refused", result);
  if (ended == ncclInProgress) {
    enqueuing_ = true;
  } else if (ended == ncclSuccess) {
    record();
  } else {
    fail_nccl("a group of sends and receives was refused", ended);
  }
}

void Communicator::record() {
  CUevent event = nullptr;
  if (spare_events_.empty()) {
    if (!fail_cuda("no event", device_->driver().event_create(&event, CU_EVENT_DISABLE_TIMING))) return;
  } else {
    event = spare_events_.back();
    spare_events_.pop_back();
  }
  running_.push_back(event);
  fail_cuda("no event", device_->driver().event_record(event, stream_));
}

void Communicator::fail_nccl(const char* what, ncclResult_t result) {
  const bool remote = result == ncclRemoteError || result == ncclSystemError;
  const duet_status status = remote ? DUET_PEER_LOST
                             : result == ncclUnhandledCudaError || result == ncclInternalError
                                 ? DUET_DEVICE_ERROR
                                 : DUET_BROKEN;
  failure_ = Failure{status, static_cast<int>(result),
                     std::string(what) + ": NCCL says " + library_.error_text(result, communicator_)};
}

bool Communicator::fail_cuda(const char* what, CUresult result) {
  if (result == CUDA_SUCCESS) return true;
  failure_ = Failure{DUET_DEVICE_ERROR, static_cast<int>(result),
                     std::string(what) + ": CUDA says " + device_->driver().error_text(result)};
  return false;
}

void Communicator::release() {
  const std::lock_guard lock(mutex_);
  if (phase_ >= Phase::kReleasing) return;
  phase_ = Phase::kReleasing;
  try {
    std::thread([self = shared_from_this()] { self->tear_down(); }).detach();
  } catch (const std::system_error& error) {
    // Blocking here is the one thing that must not happen: it stays, and close_context() reports it.
    Host::log(DUET_LOG_ERROR, std::string("nccl: no thread to abort a communicator in: ") + error.what());
  }
}

void Communicator::tear_down() {
  pthread_setname_np(pthread_self(), "duet-nccl-abort");
  const Device::Current current(*device_);
  // Whoever released it handed it over with the phase: nobody else touches these now.
  if (communicator_ != nullptr) {
    const ncclResult_t result = library_.abort(communicator_);
    if (result != ncclSuccess)
      Host::log(DUET_LOG_WARNING, "nccl: an abort came back with " + library_.error_text(result));
  }
  destroy_device_objects();
  std::vector<std::shared_ptr<const Waker>> wakers;
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::kReleased;
    wakers.swap(wakers_);
  }
  for (const auto& waker : wakers)
    waker->wake();
}

void Communicator::destroy_device_objects() {
  for (const CUevent event : running_)
    device_->driver().event_destroy(event);
  for (const CUevent event : spare_events_)
    device_->driver().event_destroy(event);
  running_.clear();
  spare_events_.clear();
  if (stream_ != nullptr) device_->driver().stream_destroy(std::exchange(stream_, nullptr));
}

}  // namespace duet::nccl
