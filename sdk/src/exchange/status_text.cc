#include "exchange/status_text.h"

#include "support/log.h"

namespace duet::exchange {
namespace {

const char* describe(duet_status status) {
  switch (status) {
    case DUET_TIMED_OUT:
      return "timed out";
    case DUET_CANCELLED:
      return "cancelled";
    case DUET_PEER_LOST:
      return "the peer is lost";
    case DUET_MISUSE:
      return "the transport was misused";
    case DUET_BROKEN:
      return "the transport is broken";
    case DUET_DEVICE_ERROR:
      return "the device failed";
    case DUET_NOT_SUPPORTED:
      return "not supported by the transport";
    default:
      return "failed";
  }
}

}  // namespace

std::string failure_text(transport::Connection& connection, duet_status status) {
  const std::string detail = connection.error();
  return detail.empty() ? fmt::format("{} ({})", describe(status), connection.peer())
                        : fmt::format("{}: {}", describe(status), detail);
}

}  // namespace duet::exchange
