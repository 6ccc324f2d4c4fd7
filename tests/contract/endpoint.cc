#include "contract/endpoint.h"

#include <array>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace duet::contract {

std::vector<duet_setting> to_c(const transport::Settings& settings) {
  std::vector<duet_setting> out;
  for (const auto& [key, value] : settings)
    out.push_back({key.c_str(), value.c_str()});
  return out;
}

std::ostream& operator<<(std::ostream& out, Status status) {
  constexpr std::array<const char*, 9> kNames = {"DUET_OK",        "DUET_AGAIN",        "DUET_TIMED_OUT",
                                                 "DUET_CANCELLED", "DUET_PEER_LOST",    "DUET_MISUSE",
                                                 "DUET_BROKEN",    "DUET_DEVICE_ERROR", "DUET_NOT_SUPPORTED"};
  const auto value = static_cast<std::size_t>(static_cast<duet_status>(status));
  if (value < kNames.size()) return out << kNames[value];
  return out << "no status (" << static_cast<duet_status>(status) << ")";
}

std::string refusal(const char* call, Status status, const char* text) {
  std::ostringstream out;
  out << call << "() returned " << status << ": " << text;
  return out.str();
}

namespace {

/// Wherever a call with an error fails.
void expect_status_in(const duet_error& error, Status status, const char* call) {
  if (status == DUET_OK || status == DUET_AGAIN) return;
  EXPECT_EQ(Status(error.status), status) << "ERR-3: error->status of " << call << "()";
}

}  // namespace

Endpoint::Endpoint(const duet_transport& table, const transport::Settings& settings,
                   std::shared_ptr<DeviceMemory> memory, int device)
    : table_(table), memory_(std::move(memory)), device_(device) {
  const transport::Settings lent = settings;
  const auto c_settings = to_c(lent);
  duet_error error{};
  const Status opened = table_.open_context(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()),
                                            &context_, &error);
  if (opened != DUET_OK) throw std::runtime_error(refusal("open_context", opened, error.text));
  std::array<char, 512> address;
  std::uint64_t bytes = address.size();
  const Status addressed = table_.get_address(context_, address.data(), &bytes);
  if (addressed != DUET_OK || bytes == 0 || bytes > address.size()) {
    const std::string said = refusal("get_address", addressed, (std::to_string(bytes) + " bytes").c_str());
    table_.close_context(context_);
    throw std::runtime_error(said);
  }
  address_.assign(address.data(), bytes);
}

Endpoint::~Endpoint() {
  const std::uint64_t start = now_ns();
  table_.close_context(context_);
  EXPECT_LT(now_ns() - start, 3 * kSecond) << "close_context() may take a second";
}

std::string Endpoint::ticket(std::uint64_t session) {
  if (table_.make_ticket == nullptr) return {};
  const auto [found, is_new] = tickets_.try_emplace(session);
  if (is_new) {
    std::array<char, 256> ticket;
    std::uint64_t bytes = ticket.size();
    duet_error error{};
    const Status made = table_.make_ticket(context_, session, ticket.data(), &bytes, &error);
    if (made != DUET_OK) throw std::runtime_error(refusal("make_ticket", made, error.text));
    if (bytes == 0 || bytes > ticket.size())
      throw std::runtime_error("make_ticket: " + std::to_string(bytes) + " bytes");
    found->second.assign(ticket.data(), bytes);
  }
  return found->second;
}

duet_status Endpoint::open(bool accept, const std::string& address, const std::string& ticket,
                           std::uint64_t session, std::uint64_t deadline, const char* name,
                           duet_connection** connection, duet_error* error) {
  const std::vector<char> lent_address(address.begin(), address.end());
  const std::vector<char> lent_ticket(ticket.begin(), ticket.end());
  std::vector<char> lent_name(name, name + std::char_traits<char>::length(name) + 1);
  const duet_connect_request request{.struct_size = sizeof(request),
                                     .reserved = 0,
                                     .session = session,
                                     .address = accept ? nullptr : lent_address.data(),
                                     .address_bytes = lent_address.size(),
                                     .deadline_ns = deadline,
                                     .peer = lent_name.data(),
                                     .ticket = ticket.empty() ? nullptr : lent_ticket.data(),
                                     .ticket_bytes = lent_ticket.size()};
  const Status status = (accept ? table_.accept : table_.connect)(context_, &request, connection, error);
  expect_status_in(*error, status, accept ? "accept" : "connect");
  return status;
}

Status Endpoint::try_connect(const std::string& address, const std::string& ticket, std::uint64_t session,
                             std::uint64_t deadline, const char* name, duet_connection** connection,
                             duet_error* error) {
  return open(false, address, ticket, session, deadline, name, connection, error);
}

duet_connection* Endpoint::connect_to(const std::string& address, const std::string& ticket,
                                      std::uint64_t session, std::uint64_t deadline, const char* name) {
  duet_connection* connection = nullptr;
  duet_error error{};
  const Status status = try_connect(address, ticket, session, deadline, name, &connection, &error);
  if (status != DUET_OK) throw std::runtime_error(refusal("connect", status, error.text));
  return connection;
}

duet_connection* Endpoint::connect(Endpoint& peer, std::uint64_t session, std::uint64_t deadline,
                                   const char* name) {
  return connect_to(peer.address(), peer.ticket(session), session, deadline, name);
}

duet_connection* Endpoint::accept(std::uint64_t session, std::uint64_t deadline, const char* name) {
  duet_connection* connection = nullptr;
  duet_error error{};
  const Status status = open(true, {}, ticket(session), session, deadline, name, &connection, &error);
  if (status != DUET_OK) throw std::runtime_error(refusal("accept", status, error.text));
  return connection;
}

int Endpoint::state(duet_connection* connection, duet_error* error) {
  duet_error ignored{};
  return table_.connection_state(connection, error == nullptr ? &ignored : error);
}

Endpoint::Staged Endpoint::stage(bool send, void* data, std::uint64_t bytes) const {
  // What is longer than any test's data is to be refused for its length: there is nothing behind it to copy.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 30;
  if (bytes == 0) return {};
  // At the same distance from an even address as the test's own.
  const std::uint64_t shift = reinterpret_cast<std::uintptr_t>(data) % 16;
  const auto piece = memory_->allocate(device_, (bytes > kMost ? 1 : bytes) + shift);
  void* const start = static_cast<unsigned char*>(piece.get()) + shift;
  if (bytes <= kMost) memory_->copy_in(device_, start, data, bytes);
  return {.device = std::shared_ptr<void>(piece, start), .host = data, .copy_back = !send};
}

void Endpoint::unstage(const duet_completion& completion) {
  const auto found = staged_.find(completion.operation);
  if (found == staged_.end()) return;
  const Staged& staged = found->second;
  if (staged.copy_back && completion.status == DUET_OK)
    memory_->copy_out(device_, staged.host, staged.device.get(), completion.bytes);
  staged_.erase(found);
}

Status Endpoint::try_post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                          std::uint64_t deadline, duet_error* error) {
  Staged staged = memory_ == nullptr ? Staged{} : stage(send, data, bytes);
  const duet_memory memory{.data = memory_ == nullptr ? data : staged.device.get(),
                           .bytes = bytes,
                           .kind = memory_ == nullptr ? std::int32_t{DUET_MEMORY_HOST} : memory_->kind(),
                           .device = memory_ == nullptr ? 0 : device_,
                           .stream = nullptr,
                           .registration = nullptr};
  duet_error mine{};
  if (error == nullptr) error = &mine;
  const std::uint64_t id = next_id_++;
  const Status status =
      (send ? table_.post_send : table_.post_receive)(connection, &memory, id, deadline, error);
  expect_status_in(*error, status, send ? "post_send" : "post_receive");
  if (status == DUET_OK) in_flight_.insert(id);
  if (status == DUET_OK && staged.device != nullptr) staged_[id] = std::move(staged);
  return status;
}

std::uint64_t Endpoint::post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                             std::uint64_t deadline) {
  const std::uint64_t give_up = in(kPatience);
  while (true) {
    duet_error error{};
    const Status status = try_post(send, connection, data, bytes, deadline, &error);
    if (status == DUET_OK) return last_id();
    if (status != DUET_AGAIN)
      throw std::runtime_error(refusal(send ? "post_send" : "post_receive", status, error.text));
    if (now_ns() > give_up) throw std::runtime_error("a post was told to come again for too long");
    poll(kMillisecond);
  }
}

std::uint64_t Endpoint::send(duet_connection* connection, const void* data, std::uint64_t bytes,
                             std::uint64_t deadline) {
  return post(true, connection, const_cast<void*>(data), bytes, deadline);
}

std::uint64_t Endpoint::receive(duet_connection* connection, void* data, std::uint64_t bytes,
                                std::uint64_t deadline) {
  return post(false, connection, data, bytes, deadline);
}

std::size_t Endpoint::poll(std::uint64_t timeout_ns, std::uint32_t capacity) {
  std::vector<duet_completion> batch(capacity);
  std::uint32_t count = 0;
  duet_error error{};
  const Status status = table_.poll(context_, batch.data(), capacity, timeout_ns, &count, &error);
  if (status != DUET_OK) throw std::runtime_error(refusal("poll", status, error.text));
  if (count > capacity) throw std::runtime_error("poll() returned more completions than there was room for");
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool expected = in_flight_.erase(batch[i].operation) == 1;
    EXPECT_TRUE(expected) << "operation " << batch[i].operation << " completed "
                          << (completions_.contains(batch[i].operation) ? "again" : "but was never posted");
    completions_[batch[i].operation] = batch[i];
    unstage(batch[i]);
  }
  return count;
}

duet_completion Endpoint::completion(std::uint64_t id) const {
  const auto found = completions_.find(id);
  EXPECT_NE(found, completions_.end()) << "operation " << id << " has not ended";
  if (found == completions_.end()) return {.operation = id, .status = -1, .reserved = 0, .bytes = 0};
  return found->second;
}

bool turn(const std::vector<Endpoint*>& endpoints, const std::function<bool()>& done, std::uint64_t limit) {
  const std::uint64_t give_up = in(limit);
  while (!done()) {
    if (now_ns() > give_up) return false;
    std::size_t completions = 0;
    for (Endpoint* endpoint : endpoints)
      completions += endpoint->poll(0);
    // Nothing to do: leave the processor to whatever threads the transport has.
    if (completions == 0 && !done()) endpoints.front()->poll(kMillisecond / 5);
  }
  return true;
}

void idle(const std::vector<Endpoint*>& endpoints, std::uint64_t nanoseconds) {
  turn(
      endpoints, [] { return false; }, nanoseconds);
}

std::vector<unsigned char> pattern(std::size_t bytes, std::uint64_t seed) {
  std::vector<unsigned char> data(bytes);
  std::uint64_t word = seed * 0x9e3779b97f4a7c15u + 1;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) word = word * 6364136223846793005u + 1442695040888963407u;
    data[i] = static_cast<unsigned char>(word >> (8 * (i % 8)));
  }
  return data;
}

}  // namespace duet::contract
