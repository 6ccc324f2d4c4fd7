#include "run/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <stdexcept>

namespace duet::run {
namespace {

bool can_bind(int port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<in_port_t>(port));
  const bool bound = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(descriptor);
  return bound;
}

}  // namespace

int find_free_port() {
  // Below the range from which the system hands out ports by itself: the other workers' own sockets, opened
  // while rank 0 is still starting, could get the port otherwise.
  constexpr int kFirst = 20000;
  constexpr int kLast = 32000;
  std::random_device random;
  std::uniform_int_distribution<int> any(kFirst, kLast);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const int port = any(random);
    if (can_bind(port)) return port;
  }
  throw std::runtime_error(
      "no free port on 127.0.0.1 between 20000 and 32000; set DUET_RENDEZVOUS=seed://127.0.0.1:PORT");
}

}  // namespace duet::run
