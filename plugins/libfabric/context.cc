#include "context.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cuda_driver.h"
#include "greeting.h"
#include "interfaces.h"

namespace duet::libfabric {

Context::Context(const Settings& settings)
    : settings_(settings), fabric_(settings), registrations_([this](const MemoryRange& range) {
        return fabric_.needs_registration(range.kind) ? fabric_.register_memory(range) : RegionPtr();
      }) {
  fabric_.listen(settings);
  largest_message_ = fabric_.largest_message();
  own_.provider = settings.provider;
  own_.address = fabric_.address();
  own_.machine = machine_identity();
  if (settings.loopback) {
    std::vector<Interface> others = list_interfaces();
    std::erase_if(others, [](const Interface& one) { return one.loopback; });
    own_.others = describe(others);
  }
}

Context::~Context() {
  connections_.clear();
  // What still arrives is for nobody.
  awaited_.clear();
  by_endpoint_.clear();
  // A request that nobody took owns a socket; libfabric closes it only when it is told to.
  for (auto& [session, request] : early_) {
    fabric_.reject(*request.info);
  }
  early_.clear();
  try {
    // Once to let in who waits at the socket, once to hear what they want: only then can they be rejected.
    drain_events();
    drain_events();
  } catch (const std::exception&) {
    // Broken queues cannot be emptied; what is left goes with the process.
  }
  for (auto& [session, request] : early_) {
    fabric_.reject(*request.info);
  }
}

duet_connection& Context::add_connection(const duet_connect_request& request) {
  const std::uint64_t id = next_id_++;
  auto connection = std::make_unique<duet_connection>(*this, id, request, settings_.provider);
  duet_connection& added = *connections_.emplace(id, std::move(connection)).first->second;
  if (request.deadline_ns != 0) {
    connect_deadlines_[id] = request.deadline_ns;
    set_deadline(request.deadline_ns, id);
  }
  return added;
}

void Context::watch(Connection& connection, EndpointPtr endpoint) {
  by_endpoint_[&endpoint->fid] = &connection;
  connection.attach(std::move(endpoint));
}

duet_connection* Context::connect(const duet_connect_request& request) {
  const std::string blob(static_cast<const char*>(request.address), request.address_bytes);
  const std::string peer = request.peer == nullptr ? "peer" : request.peer;
  const EndpointAddress to = EndpointAddress::parse(blob, settings_.provider, peer);
  if (const std::string why = why_unreachable(own_, to); !why.empty()) {
    throw FailureError(DUET_PEER_LOST, peer + ": " + why);
  }
  duet_connection& connection = add_connection(request);
  connection.set_peer_address(to.address);
  try {
    watch(connection, fabric_.connect(to.address, Greeting{request.session}.bytes()));
  } catch (const FailureError& error) {
    fail(connection, connection.failure_of(DUET_PEER_LOST, 0, "cannot connect: " + error.failure().text));
  }
  return &connection;
}

duet_connection* Context::accept(const duet_connect_request& request) {
  if (awaited_.contains(request.session)) {
    throw FailureError(DUET_MISUSE, "libfabric: session " + std::to_string(request.session) +
                                        " is already being accepted; a session belongs to one connection");
  }
  duet_connection& connection = add_connection(request);
  const auto early = early_.find(request.session);
  if (early == early_.end()) {
    awaited_[request.session] = &connection;
    return &connection;
  }
  InfoPtr info = std::move(early->second.info);
  std::erase_if(deadlines_, [id = early->second.id](const auto& deadline) { return deadline.second == id; });
  early_.erase(early);
  take(connection, std::move(info));
  return &connection;
}

void Context::take(Connection& connection, InfoPtr request) {
  if (request->dest_addr != nullptr && request->dest_addrlen >= sizeof(sockaddr_in)) {
    sockaddr_in address{};
    std::memcpy(&address, request->dest_addr, sizeof address);
    connection.set_peer_address(address);
  }
  try {
    watch(connection, fabric_.accept(*request));
  } catch (const FailureError& error) {
    fail(connection, connection.failure_of(DUET_PEER_LOST, 0, "cannot accept: " + error.failure().text));
  }
}

void Context::forget(Connection& connection) {
  by_endpoint_.erase(connection.endpoint());
  const auto awaited = awaited_.find(connection.session());
  if (awaited != awaited_.end() && awaited->second == &connection) {
    awaited_.erase(awaited);
  }
  const auto deadline = connect_deadlines_.find(connection.id());
  if (deadline != connect_deadlines_.end()) {
    clear_deadline(deadline->second, connection.id());
    connect_deadlines_.erase(deadline);
  }
}

void Context::close(Connection& connection) {
  if (connection.state() == Connection::State::kReady) {
    try {
      drain_completions();  // what was done before this call, was done
    } catch (const FailureError&) {
      // The context is broken, as the next poll() will say; the connection can still be closed.
    }
  }
  forget(connection);
  const std::uint64_t id = connection.id();
  std::unique_ptr<duet_connection> owner = std::move(connections_.at(id));
  connections_.erase(id);
  owner->fail({DUET_CANCELLED, 0, "closed"});
  end_all_operations(*owner, DUET_CANCELLED);
}

bool Context::moves(std::int32_t kind) const {
  return kind == DUET_MEMORY_HOST || (kind == DUET_MEMORY_CUDA && fabric_.moves_cuda_memory());
}

void* Context::register_memory(const duet_memory& memory) {
  if (!moves(memory.kind)) {
    throw FailureError(DUET_NOT_SUPPORTED,
                       "libfabric: " + settings_.describe() + " does not move device memory");
  }
  if (memory.data == nullptr || memory.bytes == 0) {
    throw FailureError(DUET_MISUSE, "libfabric: no memory to register");
  }
  return registrations_.keep(MemoryRange::of(memory));
}

void Context::unregister_memory(void* registration) {
  if (!registrations_.let_go(registration)) {
    Host::log(DUET_LOG_WARNING, "libfabric: the host unregisters memory that is not registered");
  }
}

duet_status Context::post(Connection& connection, const duet_memory& memory, std::uint64_t host_id,
                          std::uint64_t deadline_ns, bool is_send, Failure& failure) {
  const char* what = is_send ? "a send of " : "a receive of ";
  const auto refuse = [&](duet_status status, int code, const std::string& why) {
    failure = connection.failure_of(status, code, what + std::to_string(memory.bytes) + " bytes " + why);
    return status;
  };
  if (!moves(memory.kind)) {
    return refuse(DUET_NOT_SUPPORTED, 0, "from or to device memory; this provider moves host memory only");
  }
  if (memory.data == nullptr && memory.bytes != 0) {
    return refuse(DUET_MISUSE, 0, "without memory");
  }
  if (largest_message_ != 0 && memory.bytes > largest_message_) {
    return refuse(DUET_MISUSE, 0,
                  "is above the largest message, " + std::to_string(largest_message_) + " bytes");
  }
  if (connection.state() == Connection::State::kFailed) {
    failure = *connection.last_failure();
    return failure.status;
  }
  if (!connection.has_room(is_send)) {
    return refuse(DUET_AGAIN, 0, "must wait: too many are queued");
  }
  RegistrationCache::Share registration;
  if (memory.bytes != 0 && fabric_.needs_registration(memory.kind)) {
    registration = registrations_.share(MemoryRange::of(memory));
  }
  std::unique_ptr<StreamMark> mark;
  if (memory.kind == DUET_MEMORY_CUDA) {
    mark = CudaDriver::get()->mark(memory.device, memory.stream);
  }
  const std::uint64_t id = next_id_++;
  Operation& operation = operations_[id];
  operation.registration = std::move(registration);
  operation.mark = std::move(mark);
  operation.id = id;
  operation.host_id = host_id;
  operation.deadline_ns = deadline_ns;
  operation.bytes = memory.bytes;
  operation.data = memory.data;
  operation.connection = &connection;
  operation.is_send = is_send;
  const ssize_t code = connection.submit(operation);
  if (code != 0) {
    operations_.erase(id);
    failure = connection.refusal(code, what + std::to_string(memory.bytes) + " bytes was refused");
    suspect(connection, failure);
    return failure.status;
  }
  waits_for_stream_ = waits_for_stream_ || operation.mark != nullptr;
  if (deadline_ns != 0) {
    set_deadline(deadline_ns, id);
  }
  return DUET_OK;
}

duet_status Context::cancel(Connection& connection, std::uint64_t host_id) {
  const auto found = std::find_if(operations_.begin(), operations_.end(), [&](const auto& entry) {
    return entry.second.host_id == host_id && entry.second.connection == &connection;
  });
  if (found == operations_.end()) {
    const bool just_finished =
        std::any_of(finished_.begin(), finished_.end(),
                    [&](const duet_completion& completion) { return completion.operation == host_id; });
    return just_finished ? DUET_OK : DUET_MISUSE;
  }
  Operation& operation = found->second;
  if (!operation.posted) {
    connection.remove_queued(operation);
    connection.note(connection.failure_of(DUET_CANCELLED, 0, "an operation was cancelled"));
    complete(found, DUET_CANCELLED, 0);
    return DUET_OK;
  }
  if (operation.is_send) {
    return DUET_AGAIN;  // the tcp provider cannot take a send back
  }
  const std::uint64_t id = operation.id;
  operation.cancelling = true;
  connection.cancel_receive(operation);
  drain_completions();
  const auto left = operations_.find(id);
  if (left == operations_.end()) {
    return DUET_OK;
  }
  left->second.cancelling = false;  // its message is already coming in
  return DUET_AGAIN;
}

void Context::set_deadline(std::uint64_t deadline_ns, std::uint64_t id) {
  deadlines_.emplace(deadline_ns, id);
}

}  // namespace duet::libfabric
