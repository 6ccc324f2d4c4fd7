#include "support/ticketed/ticketed.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "transport/inproc.h"

namespace duet::testing {
namespace {

struct Issued {
  std::mutex mutex;
  std::map<std::uint64_t, std::string> tickets;  // by session
};

Issued& issued() {
  static Issued* const instance = new Issued;
  return *instance;
}

duet_status refuse(duet_error* error, duet_status status, const char* text) {
  error->status = status;
  std::snprintf(error->text, sizeof(error->text), "%s", text);
  return status;
}

duet_status make_ticket(duet_context*, uint64_t session, void* ticket, uint64_t* bytes, duet_error* error) {
  if (session == kNoTicket) return refuse(error, DUET_BROKEN, "the ticket machine is out of paper");
  if (session == kEndlessTicket) {
    *bytes = 1000;
    return DUET_OK;
  }
  const std::lock_guard lock(issued().mutex);
  const std::string made =
      "ticket " + std::to_string(issued().tickets.size()) + " for " + std::to_string(session);
  if (!issued().tickets.emplace(session, made).second)
    return refuse(error, DUET_MISUSE, "a second ticket for a session");
  std::memcpy(ticket, made.data(), made.size());
  *bytes = made.size();
  return DUET_OK;
}

bool valid(const duet_connect_request& request) {
  const std::lock_guard lock(issued().mutex);
  const auto found = issued().tickets.find(request.session);
  return found != issued().tickets.end() && request.ticket != nullptr &&
         found->second == std::string(static_cast<const char*>(request.ticket), request.ticket_bytes);
}

duet_status connect(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                    duet_error* error) {
  if (!valid(*request)) return refuse(error, DUET_MISUSE, "connect() without this session's ticket");
  return transport::inproc_transport()->connect(context, request, connection, error);
}

duet_status accept(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                   duet_error* error) {
  if (!valid(*request)) return refuse(error, DUET_MISUSE, "accept() without this session's ticket");
  return transport::inproc_transport()->accept(context, request, connection, error);
}

}  // namespace

const duet_transport* ticketed_transport() {
  static const duet_transport table = [] {
    duet_transport made = *transport::inproc_transport();
    made.name = "ticketed";
    made.connect = connect;
    made.accept = accept;
    made.make_ticket = make_ticket;
    return made;
  }();
  return &table;
}

}  // namespace duet::testing
