#include "contract/endpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <random>
#include <stdexcept>
#include <thread>

namespace duet::contract {
namespace {

std::vector<duet_setting> to_c(const transport::Settings& settings) {
  std::vector<duet_setting> out;
  for (const auto& [key, value] : settings)
    out.push_back({key.c_str(), value.c_str()});
  return out;
}

/// Who is there, and what tickets were made: the control channel of the suite.
struct Board {
  std::mutex mutex;
  std::map<std::string, Endpoint*> endpoints;                           // by address, of this process
  std::map<std::string, std::map<std::uint64_t, std::string>> tickets;  // by address and session
  unsigned endpoints_made = 0;
  bool is_peer = false;
};
Board& board() {
  static Board* const instance = new Board;
  return *instance;
}

}  // namespace

Endpoint::Endpoint(const duet_transport& table, const Source& source)
    : table_(table), memory_(source.memory), device_(source.device) {
  transport::Settings settings = source.settings;
  if (source.devices > 0) {
    const std::lock_guard lock(board().mutex);
    const auto others = static_cast<unsigned>(std::max(source.devices - 1, 1));
    device_ = board().is_peer ? source.devices - 1 : static_cast<int>(board().endpoints_made++ % others);
    settings.emplace_back("device", std::to_string(device_));
  }
  const auto c_settings = to_c(settings);
  duet_error error{};
  if (table_.open_context(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &context_,
                          &error) != DUET_OK) {
    throw std::runtime_error(std::string("open_context: ") + error.text);
  }
  std::array<char, 512> address;
  std::uint64_t bytes = address.size();
  if (table_.get_address(context_, address.data(), &bytes) != DUET_OK)
    throw std::runtime_error("get_address");
  address_.assign(address.data(), bytes);
  const std::lock_guard lock(board().mutex);
  board().endpoints[address_] = this;
}

void Endpoint::know_tickets(const std::string& address, const std::map<std::uint64_t, std::string>& tickets) {
  const std::lock_guard lock(board().mutex);
  board().tickets[address] = tickets;
}

void Endpoint::be_the_peer() {
  const std::lock_guard lock(board().mutex);
  board().is_peer = true;
}

std::string Endpoint::ticket_for(const std::string& address, std::uint64_t session) {
  Board& all = board();
  const std::lock_guard lock(all.mutex);
  const auto known = all.tickets[address].find(session);
  if (known != all.tickets[address].end()) return known->second;
  const auto found = all.endpoints.find(address);
  if (found == all.endpoints.end()) return {};
  return all.tickets[address][session] = found->second->make_ticket(session);
}

std::unique_lock<std::mutex> Endpoint::take_turn() {
  // A mutex is not fair: one that polls without end would never let the other in.
  while (tickets_wanted_ > 0)
    std::this_thread::yield();
  return std::unique_lock(calls_);
}

std::string Endpoint::make_ticket(std::uint64_t session) {
  if (table_.make_ticket == nullptr) return {};
  ++tickets_wanted_;
  const std::lock_guard lock(calls_);
  --tickets_wanted_;
  std::array<char, 256> ticket;
  std::uint64_t bytes = ticket.size();
  duet_error error{};
  if (table_.make_ticket(context_, session, ticket.data(), &bytes, &error) != DUET_OK)
    throw std::runtime_error(std::string("make_ticket: ") + error.text);
  return {ticket.data(), bytes};
}

Endpoint::~Endpoint() {
  {
    const std::lock_guard lock(board().mutex);
    board().endpoints.erase(address_);
    board().tickets.erase(address_);
  }
  const std::uint64_t start = now_ns();
  table_.close_context(context_);
  EXPECT_LT(now_ns() - start, 3 * kSecond) << "close_context() may take a second";
}

duet_connection* Endpoint::open(bool accept, const std::string& address, std::uint64_t session,
                                std::uint64_t deadline, const char* peer) {
  const std::string ticket = ticket_for(accept ? address_ : address, session);
  const auto turn = take_turn();
  const duet_connect_request request{.struct_size = sizeof(request),
                                     .reserved = 0,
                                     .session = session,
                                     .address = accept ? nullptr : address.data(),
                                     .address_bytes = accept ? 0 : address.size(),
                                     .deadline_ns = deadline,
                                     .peer = peer,
                                     .ticket = ticket.empty() ? nullptr : ticket.data(),
                                     .ticket_bytes = ticket.size()};
  duet_connection* connection = nullptr;
  duet_error error{};
  const duet_status status =
      (accept ? table_.accept : table_.connect)(context_, &request, &connection, &error);
  if (status != DUET_OK)
    throw std::runtime_error(std::string(accept ? "accept: " : "connect: ") + error.text);
  return connection;
}

duet_connection* Endpoint::connect(const std::string& address, std::uint64_t session, std::uint64_t deadline,
                                   const char* peer) {
  return open(false, address, session, deadline, peer);
}

duet_connection* Endpoint::accept(std::uint64_t session, std::uint64_t deadline, const char* peer) {
  return open(true, {}, session, deadline, peer);
}

int Endpoint::state(duet_connection* connection, duet_error* error) {
  duet_error ignored{};
  const auto turn = take_turn();
  return table_.connection_state(connection, error == nullptr ? &ignored : error);
}

void Endpoint::close(duet_connection* connection) {
  const auto turn = take_turn();
  table_.close_connection(connection);
}

duet_status Endpoint::try_post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                               std::uint64_t deadline, duet_error* error) {
  duet_memory memory{.data = data,
                     .bytes = bytes,
                     .kind = DUET_MEMORY_HOST,
                     .device = 0,
                     .stream = nullptr,
                     .registration = nullptr};
  Staged staged{.device = nullptr, .host = data, .copy_back = !send};
  if (memory_ != nullptr && bytes > 0) {
    // At the same distance from an even address as the test's own.
    const std::uint64_t shift = reinterpret_cast<std::uintptr_t>(data) % 16;
    const auto piece = memory_->allocate(device_, bytes + shift);
    memory.data = static_cast<unsigned char*>(piece.get()) + shift;
    memory.kind = memory_->kind();
    memory.device = device_;
    memory_->copy_in(device_, memory.data, data, bytes);
    staged.device = std::shared_ptr<void>(piece, memory.data);
  }
  const auto turn = take_turn();
  duet_error ignored{};
  const std::uint64_t id = next_id_++;
  const duet_status status = (send ? table_.post_send : table_.post_receive)(
      connection, &memory, id, deadline, error == nullptr ? &ignored : error);
  if (status == DUET_OK) in_flight_.insert(id);
  if (status == DUET_OK && staged.device != nullptr) staged_[id] = std::move(staged);
  return status;
}

std::uint64_t Endpoint::post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                             std::uint64_t deadline) {
  const std::uint64_t give_up = in(kPatience);
  while (true) {
    duet_error error{};
    const duet_status status = try_post(send, connection, data, bytes, deadline, &error);
    if (status == DUET_OK) return last_id();
    if (status != DUET_AGAIN) {
      throw std::runtime_error(std::string(send ? "post_send: " : "post_receive: ") + error.text);
    }
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

std::size_t Endpoint::poll(std::uint64_t timeout_ns) {
  std::array<duet_completion, 16> batch;
  std::uint32_t count = 0;
  duet_error error{};
  const auto turn = take_turn();
  if (table_.poll(context_, batch.data(), batch.size(), timeout_ns, &count, &error) != DUET_OK) {
    throw std::runtime_error(std::string("poll: ") + error.text);
  }
  if (count > batch.size())
    throw std::runtime_error("poll returned more completions than there was room for");
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool expected = in_flight_.erase(batch[i].operation) == 1;
    EXPECT_TRUE(expected) << "operation " << batch[i].operation << " completed "
                          << (completions_.contains(batch[i].operation) ? "again" : "but was never posted");
    completions_[batch[i].operation] = batch[i];
    take_back(batch[i]);
  }
  return count;
}

void Endpoint::take_back(const duet_completion& completion) {
  const auto found = staged_.find(completion.operation);
  if (found == staged_.end()) return;
  const Staged& staged = found->second;
  if (staged.copy_back && completion.status == DUET_OK)
    memory_->copy_out(device_, staged.host, staged.device.get(), completion.bytes);
  staged_.erase(found);
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

std::vector<unsigned char> pattern(std::size_t bytes, std::uint64_t seed) {
  std::vector<unsigned char> data(bytes);
  std::uint64_t word = seed * 0x9e3779b97f4a7c15u + 1;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) word = word * 6364136223846793005u + 1442695040888963407u;
    data[i] = static_cast<unsigned char>(word >> (8 * (i % 8)));
  }
  return data;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator begin("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

std::uint64_t ContractTest::capabilities() {
  const auto c_settings = to_c(GetParam().settings);
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  EXPECT_EQ(table_.probe(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &result), DUET_OK);
  EXPECT_EQ(result.viable, 1) << result.reason;
  return result.capabilities;
}

void ContractTest::join(Pair& pair, std::uint64_t session) {
  pair.ab = pair.a->connect(pair.b->address(), session);
  pair.ba = pair.b->accept(session);
  const bool ready = pair.turn([&] {
    return pair.a->state(pair.ab) == DUET_CONNECTION_READY && pair.b->state(pair.ba) == DUET_CONNECTION_READY;
  });
  if (!ready) throw std::runtime_error("the connection did not become ready");
}

ContractTest::Pair ContractTest::joined(std::uint64_t session) {
  Pair pair{.a = endpoint(), .b = endpoint()};
  join(pair, session);
  return pair;
}

}  // namespace duet::contract
