// libFuzzer on the decoder of control messages: nothing that arrives may crash it, and whatever it believes
// must survive a round trip. With DUET_FUZZ_SEEDS set to a directory, first writes one message of every kind
// there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "control/messages.h"
#include "unit/control/sample_messages.h"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const char* directory = std::getenv("DUET_FUZZ_SEEDS");
  if (directory == nullptr) return 0;
  int number = 0;
  for (const duet::control::Message& message : duet::control::sample_messages()) {
    std::ofstream file(directory + std::string("/message-") + std::to_string(number++), std::ios::binary);
    file << duet::control::encode(message);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::optional<duet::control::Message> message =
      duet::control::decode({reinterpret_cast<const char*>(data), size});
  if (!message.has_value()) return 0;
  const std::string bytes = duet::control::encode(*message);
  const std::optional<duet::control::Message> again = duet::control::decode(bytes);
  // Compared as bytes: a NaN equals itself there.
  if (!again.has_value() || duet::control::encode(*again) != bytes) std::abort();
  return 0;
}
