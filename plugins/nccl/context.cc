#include "context.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace duet::nccl {
namespace {

constexpr std::uint64_t kMicrosecond = 1'000;
constexpr std::uint64_t kMillisecond = 1'000 * kMicrosecond;
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
/// What only looking can tell: groups on the device, memory that becomes valid; communicators that open.
constexpr std::uint64_t kLookAtDevice = 100 * kMicrosecond;
constexpr std::uint64_t kLookAtOpening = kMillisecond;

/// The driver comes first: what is missing on most machines is the GPU.
std::shared_ptr<const Device> make_device(const Settings& settings) {
  const CudaDriver& driver = CudaDriver::load(settings.cuda_library);
  return std::make_shared<const Device>(driver, settings.device.value_or(driver.current_device()));
}

}  // namespace

Context::Context(const Settings& settings)
    : settings_(settings),
      device_(make_device(settings)),
      library_(NcclLibrary::load(settings.library)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      waker_(std::make_shared<Waker>()),
      listener_(settings.address) {
  if (epoll_.get() < 0)
    throw FailureError(Failure{DUET_BROKEN, errno, "NCCL: no epoll: " + system_error_text(errno)});
  address_.line = listener_.address();
  address_.gpu = device_->uuid();
  address_.process = own_process();
  address_.host = own_host();
  watch(listener_.descriptor(), false);
  watch(waker_->descriptor(), false);
  // The first one starts NCCL, which may take a while: here rather than in make_ticket().
  const Device::Current current(*device_);
  tickets_.add_spare(library_.unique_id());
}

Context::~Context() {
  for (const auto& connection : connections_) {
    connection->link.close();
    act(*connection);
  }
  library_.give_back(tickets_.close());
  // Memory that an abort may still touch must not be given back; so this waits for aborts, if not for ever.
  const std::uint64_t start = Host::now_ns();
  const std::uint64_t end = start + settings_.abort_timeout_ns;
  const auto lends = [this] {
    return std::any_of(connections_.begin(), connections_.end(),
                       [](const auto& connection) { return connection->link.lends(); });
  };
  const auto look = [this] {
    for (const auto& connection : connections_)
      look_at_communicator(*connection);
    return true;
  };
  while (look() && lends()) {
    const std::uint64_t now = Host::now_ns();
    if (now >= end) break;
    pollfd interest{waker_->descriptor(), POLLIN, 0};
    ::poll(&interest, 1, static_cast<int>(std::min<std::uint64_t>((end - now) / kMillisecond + 1, 100)));
    waker_->clear();
  }
  for (const auto& connection : connections_) {
    if (!connection->link.lends()) continue;
    Host::count("nccl_abandoned_aborts");
    Host::log(DUET_LOG_ERROR, "nccl: " + connection->link.label() +
                                  ": the abort of its communicator has not come back in time; the device may "
                                  "still write to memory that is given back now: end this process");
  }
  const Device::Current current(*device_);
  for (const auto& connection : connections_) {
    for (const auto& [id, event] : connection->awaited)
      device_->driver().event_destroy(event);
  }
  for (const CUevent event : spare_events_)
    device_->driver().event_destroy(event);
}

std::string Context::make_ticket(std::uint64_t session) {
  std::optional<UniqueId> id = tickets_.take_spare();
  if (!id) {
    const Device::Current current(*device_);
    id = library_.unique_id();
  }
  return tickets_.issue(session, random_id(), *id).encode();
}

duet_connection& Context::add(bool accepting, const duet_connect_request& request, const Ticket& ticket,
                              const std::string& label) {
  const Link link(accepting, request.deadline_ns, label);
  connections_.push_back(std::make_unique<duet_connection>(*this, accepting, ticket, link));
  connections_.back()->last_used = Host::now_ns();
  return *connections_.back();
}

duet_connection* Context::connect(const duet_connect_request& request, const Ticket& ticket) {
  const std::string name = request.peer == nullptr ? "peer" : request.peer;
  const std::string blob(static_cast<const char*>(request.address), request.address_bytes);
  PeerAddress peer = PeerAddress::decode(blob, name);
  const bool same_process = peer.process == address_.process;
  if (peer.gpu == address_.gpu && !same_process) {
    throw FailureError(DUET_NOT_SUPPORTED,
                       name + " uses the same GPU as this worker (CUDA device " +
                           std::to_string(device_->ordinal()) + ", UUID " + to_text(peer.gpu) +
                           "), and NCCL refuses two ranks on one: give each worker a GPU of its own (setting "
                           "device, or CUDA_VISIBLE_DEVICES)");
  }
  if (peer.host != address_.host && is_loopback(peer.line)) {
    throw FailureError(DUET_NOT_SUPPORTED, name + " listens on " + to_text(peer.line) +
                                               " of another host: give its transport the setting interface");
  }
  duet_connection& connection = add(false, request, ticket, name + " (NCCL, " + to_text(peer.line) + ")");
  connection.peer = peer;
  if (same_process && peer.gpu == address_.gpu) {
    connection.self_pair = SelfPair::of(ticket.secret);
    connection.link.set_recall(
        [pair = connection.self_pair](bool send, std::uint64_t index) { return pair->recall(send, index); });
  }
  try {
    connection.line = Line::dial(address_.line, peer.line);
    Frame hello = introduction(FrameKind::kHello);
    hello.first = ticket.session;
    hello.secret = ticket.secret;
    connection.line->say(hello);
    act(connection);
  } catch (const FailureError& error) {
    connection.link.refused(error.failure());
    act(connection);
  }
  return &connection;
}

duet_connection* Context::accept(const duet_connect_request& request, const Ticket& ticket) {
  const std::string name = request.peer == nullptr ? "peer" : request.peer;
  if (!tickets_.opens(request.session, ticket.secret)) {
    throw FailureError(DUET_MISUSE, name + ": session " + std::to_string(request.session) +
                                        " cannot be accepted: its ticket was not made here, or too many were "
                                        "made since");
  }
  const bool taken = std::any_of(connections_.begin(), connections_.end(), [&](const auto& other) {
    return other->accepting && other->ticket == ticket && !other->link.failed();
  });
  if (taken) {
    throw FailureError(DUET_MISUSE, name + ": session " + std::to_string(request.session) +
                                        " is already being accepted; a session belongs to one connection");
  }
  tickets_.claim(request.session);
  duet_connection& connection = add(true, request, ticket, name + " (NCCL)");
  for (Visitor& visitor : visitors_) {
    if (visitor.introduced && !visitor.gone && visitor.session == request.session) meet(connection, visitor);
  }
  return &connection;
}

void Context::close(Connection& connection) {
  connection.link.close();
  act(connection);
  forget_ended();
}

duet_status Context::post(Connection& connection, const duet_memory& memory, std::uint64_t id,
                          std::uint64_t deadline, bool send, Failure& failure) {
  Link& link = connection.link;
  const auto refuse = [&](duet_status status, const std::string& why) {
    failure = {status, 0, link.label() + ": " + why};
    return status;
  };
  if (link.failed()) {
    failure = link.failure();
    return failure.status;
  }
  if (memory.bytes > kLargestMessage) {
    return refuse(DUET_MISUSE, std::to_string(memory.bytes) + " bytes are more than a message may have (" +
                                   std::to_string(kLargestMessage) + ")");
  }
  CUevent event = nullptr;
  if (memory.bytes > 0) {
    if (memory.kind != DUET_MEMORY_CUDA || memory.data == nullptr)
      return refuse(DUET_MISUSE, "only CUDA memory can be moved by this transport");
    if (memory.device != device_->ordinal()) {
      return refuse(DUET_MISUSE, "the memory is of CUDA device " + std::to_string(memory.device) +
                                     ", this context works on device " + std::to_string(device_->ordinal()));
    }
    try {
      event = record(memory.stream);
    } catch (const FailureError& error) {
      return refuse(error.failure().status, error.failure().text);
    }
  }
  const duet_status status = link.post({id, send, memory.data, memory.bytes, deadline, event == nullptr});
  if (status == DUET_OK && event != nullptr) {
    connection.awaited.emplace_back(id, event);
  } else if (event != nullptr) {
    spare_events_.push_back(event);
  }
  if (status == DUET_AGAIN) return refuse(status, "too many operations are waiting");
  connection.last_used = Host::now_ns();
  act(connection);
  return status;
}

/// An event behind what is in the stream now; null: that is over.
CUevent Context::record(void* stream) {
  const Device::Current current(*device_);
  const CudaDriver& driver = device_->driver();
  CUevent event = nullptr;
  const auto require = [&](CUresult result) {
    if (result != CUDA_SUCCESS)
      throw FailureError(DUET_DEVICE_ERROR, "the memory's stream: CUDA says " + driver.error_text(result));
  };
  if (spare_events_.empty()) {
    require(driver.event_create(&event, CU_EVENT_DISABLE_TIMING));
  } else {
    event = spare_events_.back();
    spare_events_.pop_back();
  }
  const CUresult recorded = driver.event_record(event, static_cast<CUstream>(stream));
  if (recorded == CUDA_SUCCESS && driver.event_query(event) == CUDA_ERROR_NOT_READY) return event;
  spare_events_.push_back(event);
  require(recorded);
  return nullptr;
}

duet_status Context::cancel(Connection& connection, std::uint64_t id) {
  const duet_status status = connection.link.cancel(id);
  act(connection);
  const bool just_finished =
      std::any_of(finished_.begin(), finished_.end(),
                  [&](const duet_completion& completion) { return completion.operation == id; });
  return status == DUET_MISUSE && just_finished ? DUET_OK : status;
}

std::uint32_t Context::poll(std::span<duet_completion> completions, std::uint64_t timeout_ns) {
  const std::uint64_t start = Host::now_ns();
  const std::uint64_t end = timeout_ns > kNever - start ? kNever : start + timeout_ns;
  for (;;) {
    const std::uint64_t now = progress();
    if (!finished_.empty() || state_changed_ || now >= end) break;
    sleep(std::min(end - now, patience(now)));
  }
  state_changed_ = false;
  const auto count = std::min(finished_.size(), completions.size());
  std::copy_n(finished_.begin(), count, completions.begin());
  finished_.erase(finished_.begin(), finished_.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<std::uint32_t>(count);
}

bool Context::arm(std::uint64_t& timeout_ns) {
  if (!finished_.empty() || state_changed_) return false;
  const std::uint64_t longest = patience(Host::now_ns());
  timeout_ns = std::min(timeout_ns, longest);
  return longest > 0;
}

std::uint64_t Context::patience(std::uint64_t now) const {
  std::uint64_t longest = kNever;
  for (const auto& connection : connections_) {
    const Link& link = connection->link;
    const std::uint64_t deadline = link.next_deadline();
    if (deadline != 0) longest = std::min(longest, deadline - std::min(deadline, now));
    if (link.failed()) continue;
    if (link.launched() || !connection->awaited.empty()) longest = std::min(longest, kLookAtDevice);
    if (link.phase() == Link::Phase::kOpening) longest = std::min(longest, kLookAtOpening);
  }
  if (!visitors_.empty()) longest = std::min(longest, 1'000 * kMillisecond);
  return longest;
}

void Context::sleep(std::uint64_t nanoseconds) const {
  pollfd interest{epoll_.get(), POLLIN, 0};
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(std::min<std::uint64_t>(nanoseconds / 1'000'000'000, 3600));
  timeout.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  ppoll(&interest, 1, &timeout, nullptr);  // an interrupted sleep is a short one
}

Frame Context::introduction(FrameKind kind) const {
  Frame frame;
  frame.kind = kind;
  frame.process = address_.process;
  frame.gpu = address_.gpu;
  return frame;
}

void Context::watch(int fd, bool writes) const {
  epoll_event event{};
  event.events = EPOLLIN | (writes ? EPOLLOUT : 0u);
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

}  // namespace duet::nccl
