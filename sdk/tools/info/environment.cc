#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "duet/log.h"
#include "duet/options.h"
#include "info/commands.h"

namespace duet::info {

void show_environment(const EnvironmentCommand& command) {
  // A run warns of names that are close to a setting's. Whoever asks here wants to hear of every other, too.
  set_log_level(LogLevel::kDebug);
  set_log_sink([](LogLevel, std::string_view text) { std::cerr << "duet-info: " << text << std::endl; });
  const Options options = Options::from_environment();
  std::vector<Options::Source> shown = options.origins();
  if (!command.all) {
    shown.erase(std::remove_if(shown.begin(), shown.end(),
                               [](const Options::Source& source) { return source.origin == "default"; }),
                shown.end());
  }
  if (command.json) {
    auto list = nlohmann::ordered_json::array();
    for (const Options::Source& source : shown) {
      list.push_back({{"name", source.name}, {"value", source.value}, {"origin", source.origin}});
    }
    std::cout << nlohmann::ordered_json{{"options", std::move(list)}}.dump(2) << "\n";
  } else {
    for (const Options::Source& source : shown) {
      std::cout << std::left << std::setw(22) << source.name << std::setw(30) << source.value << " "
                << source.origin << "\n";
    }
    if (!command.all) std::cout << "Everything else has its default (--all).\n";
  }
  std::cout.flush();
  options.validate();
}

}  // namespace duet::info
