/// The ticketed transport as a plugin, for runs of whole workers.
#include "support/ticketed/ticketed.h"

namespace {

const duet_services* host = nullptr;
duet_transport table;

duet_status make_ticket(duet_context* context, uint64_t session, void* ticket, uint64_t* bytes,
                        duet_error* error) {
  const duet_status status =
      duet::testing::ticketed_transport()->make_ticket(context, session, ticket, bytes, error);
  host->count(status == DUET_OK ? "ticketed_made" : "ticketed_refused", 1);
  return status;
}

duet_status connect(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                    duet_error* error) {
  const duet_status status =
      duet::testing::ticketed_transport()->connect(context, request, connection, error);
  host->count(status == DUET_OK ? "ticketed_connects" : "ticketed_refused", 1);
  return status;
}

duet_status accept(duet_context* context, const duet_connect_request* request, duet_connection** connection,
                   duet_error* error) {
  const duet_status status = duet::testing::ticketed_transport()->accept(context, request, connection, error);
  if (status != DUET_OK) host->count("ticketed_refused", 1);
  return status;
}

}  // namespace

extern "C" DUET_PLUGIN_EXPORT const duet_transport* duet_transport_plugin(const duet_services* services,
                                                                          char*, uint64_t) {
  host = services;
  table = *duet::testing::ticketed_transport();
  table.make_ticket = make_ticket;
  table.connect = connect;
  table.accept = accept;
  return &table;
}
