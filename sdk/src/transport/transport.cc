#include "transport/transport.h"

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <map>
#include <unordered_map>

#include "support/key_values.h"
#include "support/log.h"
#include "transport/guest_call.h"
#include "transport/host_passage.h"
#include "transport/services.h"

namespace duet::transport {
namespace {

constexpr std::size_t kLargestAddress = 512;
constexpr std::size_t kLargestTicket = 256;
constexpr std::uint32_t kBatch = 64;
/// Between two looks at what a device copies.
constexpr std::uint64_t kGlance = 20'000;

std::vector<duet_setting> to_c(const Settings& settings) {
  std::vector<duet_setting> out;
  out.reserve(settings.size());
  for (const auto& [key, value] : settings)
    out.push_back({key.c_str(), value.c_str()});
  return out;
}

duet_memory host_memory(void* data, std::uint64_t bytes) {
  return {.data = data,
          .bytes = bytes,
          .kind = DUET_MEMORY_HOST,
          .device = 0,
          .stream = nullptr,
          .registration = nullptr};
}

duet_memory cuda_memory(const DeviceMemory& memory, std::uint64_t bytes) {
  return {.data = memory.data,
          .bytes = bytes,
          .kind = DUET_MEMORY_CUDA,
          .device = memory.index,
          .stream = memory.stream,
          .registration = nullptr};
}

std::string describe(const duet_error& error) {
  std::string text = error.text[0] != '\0' ? error.text : status_name(error.status);
  if (error.system_error != 0) text += fmt::format(" (system error {})", error.system_error);
  return text;
}

}  // namespace

TransportChoice parse_choice(const std::string& text, const std::string& settings) {
  TransportChoice choice;
  choice.settings = support::parse_key_values(settings, "transport_settings");
  // A path may hold anything but is followed by no provider.
  const std::size_t colon = text.find('/') == std::string::npos ? text.find(':') : std::string::npos;
  choice.name = text.substr(0, colon);
  if (choice.name.empty()) {
    throw ConfigurationError(fmt::format(
        "transport = \"{}\" names no transport: give NAME or NAME:PROVIDER, e.g. \"libfabric:tcp\"", text));
  }
  if (colon == std::string::npos) return choice;
  const std::string provider = text.substr(colon + 1);
  if (provider.empty()) {
    throw ConfigurationError(fmt::format(
        "transport = \"{}\" ends in ':' without a provider: give one or leave the ':' out", text));
  }
  for (const auto& [key, value] : choice.settings) {
    if (key != "provider") continue;
    throw ConfigurationError(fmt::format(
        "transport = \"{}\" names a provider, and so does transport_settings = \"{}\": leave one of them out",
        text, settings));
  }
  choice.settings.emplace(choice.settings.begin(), "provider", provider);
  return choice;
}

/// What a context and its connections share. The context's thread alone touches it.
struct Context::Operations {
  struct Finished {
    std::uint64_t id = 0;
    duet_status status = DUET_OK;
    std::uint64_t bytes = 0;
  };

  struct Registered {
    std::uint64_t bytes = 0;
    void* registration = nullptr;
  };
  /// Of the registered memory that holds all of it, or null.
  void* registration_of(const void* data, std::uint64_t bytes) const {
    const auto address = reinterpret_cast<std::uintptr_t>(data);
    const auto next = registered.upper_bound(address);
    if (next == registered.begin()) return nullptr;
    const auto& [begin, found] = *std::prev(next);
    const std::uint64_t offset = address - begin;
    return offset <= found.bytes && bytes <= found.bytes - offset ? found.registration : nullptr;
  }

  const duet_transport* table = nullptr;
  duet_context* context = nullptr;
  std::string transport_name;
  std::map<std::uintptr_t, Registered> registered;  ///< by address
  bool open = true;
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, Completion> pending;
  std::deque<Finished> finished;         // their callbacks are still to run
  std::unique_ptr<HostPassage> passage;  // of host memory, where the transport moves none
};

Context::Context(std::shared_ptr<const Transport> transport, const Settings& settings,
                 const std::shared_ptr<device::Device>& device)
    : transport_(std::move(transport)), operations_(std::make_shared<Operations>()) {
  const duet_transport& table = transport_->table();
  operations_->table = &table;
  operations_->transport_name = transport_->name();
  const std::vector<duet_setting> c_settings = to_c(settings);
  const auto count = static_cast<std::uint32_t>(c_settings.size());
  const std::string who = fmt::format("transport \"{}\" ({})", transport_->name(), transport_->path());

  duet_probe_result probed{};
  probed.struct_size = sizeof(probed);
  duet_status status = DUET_BROKEN;
  const std::string thrown = guest_call(transport_->path(), "while it was probed",
                                        [&] { status = table.probe(c_settings.data(), count, &probed); });
  if (!thrown.empty()) throw TransportError(fmt::format("{} cannot be used here: it {}", who, thrown));
  probed.reason[sizeof(probed.reason) - 1] = '\0';
  if (status != DUET_OK || probed.viable == 0) {
    throw TransportError(
        fmt::format("{} cannot be used here: {}. Choose another transport, or see what was found with "
                    "duet-info plugins",
                    who, probed.reason[0] != '\0' ? probed.reason : status_name(status)));
  }
  capabilities_ = probed.capabilities;
  const bool host = (capabilities_ & DUET_CAPABILITY_HOST_MEMORY) != 0;
  if ((capabilities_ & DUET_CAPABILITY_NEEDS_REGISTRATION) != 0 ||
      (!host && (capabilities_ & DUET_CAPABILITY_CUDA_MEMORY) == 0)) {
    throw TransportError(
        who + " cannot move ordinary host memory, which is where blocks are staged: choose another");
  }
  if (!host) {
    if (device == nullptr) {
      throw ConfigurationError(fmt::format(
          "{} moves CUDA memory only, and none of this worker's buffers is in a CUDA device's memory: put "
          "the "
          "parameters there and say so (Buffer::device = DeviceKind::kCuda), or choose another transport, "
          "such as \"libfabric\"",
          who));
    }
    operations_->passage = std::make_unique<HostPassage>(device);
  }

  duet_error error{};
  const duet_status opened = table.open_context(c_settings.data(), count, &context_, &error);
  if (opened != DUET_OK) {
    error.status = opened;
    throw TransportError(fmt::format("{} could not be opened: {}", who, describe(error)));
  }
  operations_->context = context_;
  try {
    std::array<char, kLargestAddress> address;
    std::uint64_t bytes = address.size();
    const duet_status addressed = table.get_address(context_, address.data(), &bytes);
    if (addressed != DUET_OK || bytes > address.size()) {
      throw TransportError(
          fmt::format("{} gives no address for its endpoint: {}", who, status_name(addressed)));
    }
    address_.assign(address.data(), bytes);
    if (table.wait_descriptor != nullptr && table.wait_descriptor(context_, &descriptor_) != DUET_OK)
      descriptor_ = -1;
  } catch (...) {
    table.close_context(context_);
    throw;
  }
}

Context::~Context() {
  operations_->open = false;
  transport_->table().close_context(context_);
  // Only now is no memory lent any more, so only now may what the callbacks hold be released. That may in
  // turn destroy connections, which look at operations_: it stays whole meanwhile.
  const auto never_called = std::exchange(operations_->pending, {});
  operations_->finished.clear();
  const auto passage = std::move(operations_->passage);
}

int Context::only_device() const {
  return operations_->passage == nullptr ? -1 : operations_->passage->device().index();
}

std::unique_ptr<Connection> Context::open(bool accept, const std::string& peer, std::uint64_t session,
                                          const std::string& address, std::uint64_t deadline_ns,
                                          const std::string& ticket) {
  const duet_connect_request request{.struct_size = sizeof(request),
                                     .reserved = 0,
                                     .session = session,
                                     .address = accept ? nullptr : address.data(),
                                     .address_bytes = accept ? 0 : address.size(),
                                     .deadline_ns = deadline_ns,
                                     .peer = peer.c_str(),
                                     .ticket = ticket.empty() ? nullptr : ticket.data(),
                                     .ticket_bytes = ticket.size()};
  duet_connection* made = nullptr;
  duet_error error{};
  const duet_transport& table = transport_->table();
  const duet_status status = (accept ? table.accept : table.connect)(context_, &request, &made, &error);
  std::string refusal;
  if (status != DUET_OK) {
    made = nullptr;
    error.status = status;
    refusal = describe(error);
  }
  return std::unique_ptr<Connection>(new Connection(operations_, made, peer, refusal));
}

std::unique_ptr<Connection> Context::connect(const std::string& peer, std::uint64_t session,
                                             const std::string& address, std::uint64_t deadline_ns,
                                             const std::string& ticket) {
  return open(false, peer, session, address, deadline_ns, ticket);
}

std::unique_ptr<Connection> Context::accept(const std::string& peer, std::uint64_t session,
                                            std::uint64_t deadline_ns, const std::string& ticket) {
  return open(true, peer, session, {}, deadline_ns, ticket);
}

std::string Context::make_ticket(std::uint64_t session) {
  std::array<char, kLargestTicket> ticket;
  std::uint64_t bytes = ticket.size();
  duet_error error{};
  const duet_status status =
      transport_->table().make_ticket(context_, session, ticket.data(), &bytes, &error);
  if (status == DUET_OK && bytes > 0 && bytes <= ticket.size()) return {ticket.data(), bytes};
  if (status == DUET_OK) {
    throw TransportError(fmt::format("transport \"{}\" gave a ticket of {} bytes (1 to {} are allowed)",
                                     transport_->name(), bytes, ticket.size()));
  }
  error.status = status;
  throw TransportError(fmt::format("transport \"{}\" gives no ticket for a new connection: {}",
                                   transport_->name(), describe(error)));
}

std::shared_ptr<void> Context::register_memory(void* data, std::uint64_t bytes) {
  const duet_transport& table = transport_->table();
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (table.register_memory == nullptr || operations_->registered.contains(address)) return nullptr;
  const duet_memory memory{.data = data,
                           .bytes = bytes,
                           .kind = DUET_MEMORY_HOST,
                           .device = 0,
                           .stream = nullptr,
                           .registration = nullptr};
  void* registration = nullptr;
  duet_error error{};
  duet_status status = DUET_BROKEN;
  const std::string thrown = guest_call(transport_->path(), "while it registered memory", [&] {
    status = table.register_memory(context_, &memory, &registration, &error);
  });
  if (!thrown.empty() || status != DUET_OK) {
    error.status = status;
    support::debug("transport \"{}\" registers no memory: {}", transport_->name(),
                   thrown.empty() ? describe(error) : "it " + thrown);
    return nullptr;
  }
  operations_->registered[address] = {bytes, registration};
  const auto let_go = [operations = operations_, address, registration](void*) {
    operations->registered.erase(address);
    if (operations->open) operations->table->unregister_memory(operations->context, registration);
  };
  return {data, let_go};
}

std::size_t Context::poll(std::uint64_t timeout_ns) {
  const duet_transport& table = transport_->table();
  Operations& operations = *operations_;
  std::size_t ran = 0;
  if (HostPassage* const passage = operations.passage.get()) {
    ran = passage->advance(now_ns());
    if (ran > 0) timeout_ns = 0;
    if (passage->busy()) timeout_ns = std::min(timeout_ns, kGlance);
  }
  std::array<duet_completion, kBatch> batch;
  std::uint32_t count = 0;
  do {
    duet_error error{};
    count = 0;
    const duet_status status = table.poll(context_, batch.data(), kBatch,
                                          operations.finished.empty() ? timeout_ns : 0, &count, &error);
    for (std::uint32_t i = 0; i < count; ++i) {
      operations.finished.push_back({batch[i].operation, batch[i].status, batch[i].bytes});
    }
    if (status != DUET_OK) {
      if (!operations.finished.empty())
        break;  // what did complete still counts; the next poll() will say it again
      error.status = status;
      throw TransportError(fmt::format("transport \"{}\" broke: {}", transport_->name(), describe(error)));
    }
  } while (count == kBatch);

  // What callbacks add while they run (refused posts) is for the next poll: a callback that always posts
  // again to a failed connection must not keep us here.
  for (std::size_t left = operations.finished.size(); left > 0 && !operations.finished.empty(); --left) {
    const Operations::Finished finished = operations.finished.front();
    operations.finished.pop_front();
    const auto found = operations.pending.find(finished.id);
    if (found == operations.pending.end()) {
      support::error(
          "transport \"{}\" completed operation {}, which is not in flight: a mistake in the plugin",
          transport_->name(), finished.id);
      continue;
    }
    const Completion done = std::move(found->second);
    operations.pending.erase(found);
    ++ran;
    if (done) done(finished.status, finished.bytes);
  }
  return ran;
}

bool Context::arm(std::uint64_t& timeout_ns) {
  if (!operations_->finished.empty()) return false;
  if (operations_->passage != nullptr && operations_->passage->busy())
    timeout_ns = std::min(timeout_ns, kGlance);
  if (transport_->table().arm == nullptr) return true;
  return transport_->table().arm(context_, &timeout_ns) == DUET_OK;
}

std::size_t Context::in_flight() const {
  const std::size_t passing = operations_->passage == nullptr ? 0 : operations_->passage->in_flight();
  return operations_->pending.size() + passing;
}

Connection::Connection(std::shared_ptr<Context::Operations> operations, duet_connection* connection,
                       std::string peer, std::string refusal)
    : operations_(std::move(operations)),
      connection_(connection),
      peer_(std::move(peer)),
      refusal_(std::move(refusal)) {}

Connection::~Connection() {
  if (operations_->passage != nullptr) operations_->passage->close(*this);
  if (connection_ != nullptr && operations_->open) operations_->table->close_connection(connection_);
}

Connection::State Connection::state() {
  if (connection_ == nullptr || !operations_->open) return State::kFailed;
  duet_error ignored{};
  switch (operations_->table->connection_state(connection_, &ignored)) {
    case DUET_CONNECTION_PENDING:
      return State::kPending;
    case DUET_CONNECTION_READY:
      return State::kReady;
    default:
      return State::kFailed;
  }
}

std::string Connection::error() {
  std::string text = refusal_;
  if (!operations_->open) {
    text = "this side's endpoint was closed";
  } else if (connection_ != nullptr) {
    duet_error error{};
    if (operations_->table->connection_state(connection_, &error) == DUET_CONNECTION_FAILED) {
      text = describe(error);
    } else if (text.empty() && operations_->table->last_error != nullptr) {
      error = {};
      operations_->table->last_error(connection_, &error);
      if (error.status != DUET_OK) text = describe(error);
    }
  }
  if (text.empty()) return {};
  // Plugins are asked to name the peer; this makes sure.
  if (text.find(peer_) != std::string::npos)
    return fmt::format("{} (over {})", text, operations_->transport_name);
  return fmt::format("{} over {}: {}", peer_, operations_->transport_name, text);
}

bool Connection::send(const void* data, std::uint64_t bytes, std::uint64_t deadline_ns, Completion done) {
  HostPassage* const passage = open_passage();
  if (passage != nullptr) return passage->send(*this, data, bytes, deadline_ns, std::move(done));
  return post(true, host_memory(const_cast<void*>(data), bytes), deadline_ns, std::move(done));
}

bool Connection::receive(void* data, std::uint64_t bytes, std::uint64_t deadline_ns, Completion done) {
  HostPassage* const passage = open_passage();
  if (passage != nullptr) return passage->receive(*this, data, bytes, deadline_ns, std::move(done));
  return post(false, host_memory(data, bytes), deadline_ns, std::move(done));
}

bool Connection::send(const DeviceMemory& memory, std::uint64_t bytes, std::uint64_t deadline_ns,
                      Completion done) {
  const HostPassage* const passage = open_passage();
  if (passage != nullptr && passage->holds_up(*this)) return false;
  return post(true, cuda_memory(memory, bytes), deadline_ns, std::move(done));
}

bool Connection::receive(const DeviceMemory& memory, std::uint64_t bytes, std::uint64_t deadline_ns,
                         Completion done) {
  return post(false, cuda_memory(memory, bytes), deadline_ns, std::move(done));
}

/// Null: host memory is the transport's own business.
HostPassage* Connection::open_passage() const {
  // No poll() will ever run the callback.
  if (!operations_->open)
    throw TransportError(peer_ + ": the connection's context was closed before this operation");
  return operations_->passage.get();
}

bool Connection::post(bool send, const duet_memory& memory, std::uint64_t deadline_ns, Completion done) {
  Context::Operations& operations = *operations_;
  duet_status status = DUET_PEER_LOST;
  duet_error error{};
  const std::uint64_t id = operations.next_id++;
  const auto pending = operations.pending.emplace(id, std::move(done)).first;
  if (connection_ != nullptr) {
    duet_memory posted = memory;
    if (posted.kind == DUET_MEMORY_HOST)
      posted.registration = operations.registration_of(posted.data, posted.bytes);
    const duet_transport& table = *operations.table;
    status = (send ? table.post_send : table.post_receive)(connection_, &posted, id, deadline_ns, &error);
    if (status == DUET_AGAIN) {
      operations.pending.erase(pending);
      return false;
    }
    if (status != DUET_OK) {
      error.status = status;
      refusal_ = describe(error);
    }
  }
  if (status != DUET_OK) operations.finished.push_back({id, status, 0});
  return true;
}

}  // namespace duet::transport
