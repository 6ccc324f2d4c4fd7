#include "contract/contract_test.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace duet::contract {

std::unique_ptr<Endpoint> ContractTest::endpoint() {
  const Source& source = GetParam();
  const int device = endpoints_made_++ % std::max(source.last_device(), 1);
  return std::make_unique<Endpoint>(table_, source.settings_on(device), source.memory, device);
}

duet_probe_result ContractTest::probe() {
  const transport::Settings lent = GetParam().settings;
  const auto c_settings = to_c(lent);
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  EXPECT_EQ(Status(table_.probe(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &result)),
            DUET_OK);
  EXPECT_EQ(result.viable, 1) << result.reason;
  return result;
}

std::size_t ContractTest::up_to(std::size_t bytes) {
  const std::uint64_t largest = probe().largest_message;
  return largest == 0 ? bytes : static_cast<std::size_t>(std::min<std::uint64_t>(bytes, largest));
}

void ContractTest::join(Pair& pair, std::uint64_t session) {
  pair.ab = pair.a->connect(*pair.b, session);
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

int count(int quick, int full) {
  return std::getenv("DUET_TEST_FULL") != nullptr ? full : quick;
}

}  // namespace duet::contract
