#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "duet/error.h"
#include "support/key_values.h"
#include "transport/interface.h"
#include "transport/transport.h"

namespace duet::transport {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no refusal";
}

TEST(ParseChoice, SplitsNameAndProvider) {
  EXPECT_EQ(parse_choice("libfabric").name, "libfabric");
  EXPECT_TRUE(parse_choice("libfabric").settings.empty());
  const TransportChoice choice = parse_choice("libfabric:tcp;ofi_rxm");
  EXPECT_EQ(choice.name, "libfabric");
  EXPECT_EQ(choice.settings, (Settings{{"provider", "tcp;ofi_rxm"}}));
  EXPECT_EQ(parse_choice("/opt/a:b/plugin.so").name, "/opt/a:b/plugin.so");
  EXPECT_THROW(parse_choice(""), ConfigurationError);
  EXPECT_THROW(parse_choice(":tcp"), ConfigurationError);
  EXPECT_THROW(parse_choice("libfabric:"), ConfigurationError);
}

TEST(ParseChoice, AddsTheSettings) {
  EXPECT_THAT(
      parse_choice("libfabric:tcp", "interface=eth1, port_range = 29900-29999").settings,
      ElementsAre(Pair("provider", "tcp"), Pair("interface", "eth1"), Pair("port_range", "29900-29999")));
  EXPECT_THAT(parse_choice("libfabric", "provider=tcp").settings, ElementsAre(Pair("provider", "tcp")));
  EXPECT_THAT(refusal([] { parse_choice("libfabric:tcp", "provider=udp"); }),
              AllOf(HasSubstr("libfabric:tcp"), HasSubstr("provider=udp")));
}

TEST(KeyValues, SayWhatIsWrong) {
  const auto why = [](const char* text) {
    return refusal([&] { support::parse_key_values(text, "transport_settings"); });
  };
  EXPECT_THAT(why("interface"),
              AllOf(HasSubstr("transport_settings"), HasSubstr("\"interface\" has no \"=\"")));
  EXPECT_THAT(why("=eth0"), HasSubstr("no key"));
  EXPECT_THAT(why("interface= "), HasSubstr("no value"));
  EXPECT_THAT(why("interface=lo,,x=1"), HasSubstr("\"\" has no \"=\""));
  EXPECT_THAT(why("interface=lo,"), HasSubstr("\"\" has no \"=\""));
  EXPECT_THAT(why("a=1,b=2,a=3"), HasSubstr("\"a=3\" names a key a second time"));
  EXPECT_TRUE(support::parse_key_values("  ", "x").empty());
  EXPECT_THAT(support::parse_key_values("a=b=c", "x"), ElementsAre(Pair("a", "b=c")));
}

duet_status knows_interfaces(const duet_setting* settings, std::uint32_t count, duet_probe_result*) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string key = settings[i].key;
    if (key != "interface" && key != "provider") return DUET_MISUSE;
  }
  return DUET_OK;
}

TEST(AddInterface, GivesItToATransportThatKnowsTheSetting) {
  duet_transport table{};
  table.name = "fake";
  table.probe = knows_interfaces;
  const Transport transport(&table, "here");
  Settings settings = {{"provider", "tcp"}};
  add_interface(transport, settings, "10.0.0.7");
  EXPECT_THAT(settings, ElementsAre(Pair("provider", "tcp"), Pair("interface", "10.0.0.7")));
  add_interface(transport, settings, "10.0.0.8");
  EXPECT_EQ(settings.back().second, "10.0.0.7") << "what the user said stands";
  // Whatever is wrong with the rest is for opening to say, with the interface.
  settings = {{"colour", "blue"}};
  add_interface(transport, settings, "10.0.0.7");
  EXPECT_EQ(settings.size(), 2u);
}

TEST(AddInterface, LeavesOthersAlone) {
  Settings settings;
  add_interface(*load_transport("inproc", {}), settings, "10.0.0.7");
  EXPECT_TRUE(settings.empty());
}

}  // namespace
}  // namespace duet::transport
