#include "contract/endpoint.h"

#include <array>
#include <stdexcept>

namespace duet::contract {

std::vector<duet_setting> to_c(const transport::Settings& settings) {
  std::vector<duet_setting> out;
  for (const auto& [key, value] : settings)
    out.push_back({key.c_str(), value.c_str()});
  return out;
}

Endpoint::Endpoint(const duet_transport& table, const transport::Settings& settings) : table_(table) {
  const transport::Settings lent = settings;
  const auto c_settings = to_c(lent);
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
    if (table_.make_ticket(context_, session, ticket.data(), &bytes, &error) != DUET_OK)
      throw std::runtime_error(std::string("make_ticket: ") + error.text);
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
  return (accept ? table_.accept : table_.connect)(context_, &request, connection, error);
}

duet_status Endpoint::try_connect(const std::string& address, const std::string& ticket,
                                  std::uint64_t session, std::uint64_t deadline, const char* name,
                                  duet_connection** connection, duet_error* error) {
  return open(false, address, ticket, session, deadline, name, connection, error);
}

duet_connection* Endpoint::connect_to(const std::string& address, const std::string& ticket,
                                      std::uint64_t session, std::uint64_t deadline, const char* name) {
  duet_connection* connection = nullptr;
  duet_error error{};
  if (try_connect(address, ticket, session, deadline, name, &connection, &error) != DUET_OK)
    throw std::runtime_error(std::string("connect: ") + error.text);
  return connection;
}

duet_connection* Endpoint::connect(Endpoint& peer, std::uint64_t session, std::uint64_t deadline,
                                   const char* name) {
  return connect_to(peer.address(), peer.ticket(session), session, deadline, name);
}

duet_connection* Endpoint::accept(std::uint64_t session, std::uint64_t deadline, const char* name) {
  duet_connection* connection = nullptr;
  duet_error error{};
  if (open(true, {}, ticket(session), session, deadline, name, &connection, &error) != DUET_OK)
    throw std::runtime_error(std::string("accept: ") + error.text);
  return connection;
}

int Endpoint::state(duet_connection* connection, duet_error* error) {
  duet_error ignored{};
  return table_.connection_state(connection, error == nullptr ? &ignored : error);
}

duet_status Endpoint::try_post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                               std::uint64_t deadline, duet_error* error) {
  const duet_memory memory{.data = data,
                           .bytes = bytes,
                           .kind = DUET_MEMORY_HOST,
                           .device = 0,
                           .stream = nullptr,
                           .registration = nullptr};
  duet_error ignored{};
  const std::uint64_t id = next_id_++;
  const duet_status status = (send ? table_.post_send : table_.post_receive)(
      connection, &memory, id, deadline, error == nullptr ? &ignored : error);
  if (status == DUET_OK) in_flight_.insert(id);
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

std::size_t Endpoint::poll(std::uint64_t timeout_ns, std::uint32_t capacity) {
  std::vector<duet_completion> batch(capacity);
  std::uint32_t count = 0;
  duet_error error{};
  if (table_.poll(context_, batch.data(), capacity, timeout_ns, &count, &error) != DUET_OK) {
    throw std::runtime_error(std::string("poll: ") + error.text);
  }
  if (count > capacity) throw std::runtime_error("poll returned more completions than there was room for");
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool expected = in_flight_.erase(batch[i].operation) == 1;
    EXPECT_TRUE(expected) << "operation " << batch[i].operation << " completed "
                          << (completions_.contains(batch[i].operation) ? "again" : "but was never posted");
    completions_[batch[i].operation] = batch[i];
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
