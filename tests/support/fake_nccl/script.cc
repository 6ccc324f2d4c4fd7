#include "script.h"

#include <cstdlib>
#include <map>
#include <mutex>

namespace fake {
namespace {

const std::map<std::string, std::string>& defaults() {
  static const auto* const values = new std::map<std::string, std::string>{
      {"devices", "8"}, {"version", "22809"},   {"driver", "ok"},  {"init", "ok"},    {"enqueue", "ok"},
      {"group", "ok"},  {"peer_death", "hang"}, {"abort_ms", "0"}, {"scribble", "0"}, {"slow_ms", "30"}};
  return *values;
}

struct State {
  std::mutex mutex;
  std::map<std::string, std::string> script = defaults();
  std::map<std::string, std::int64_t> counts;

  State() {
    const char* text = std::getenv("DUET_FAKE_NCCL");
    std::string rest = text == nullptr ? "" : text;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string item = rest.substr(0, comma);
      const std::size_t equals = std::min(item.find('='), item.size());
      script[item.substr(0, equals)] = item.substr(std::min(equals + 1, item.size()));
      rest.erase(0, comma + 1);
    }
  }
};

/// Never destroyed: threads may be about until the very end.
State& state() {
  static State* const instance = new State;
  return *instance;
}

}  // namespace

std::string script(const std::string& key) {
  const std::lock_guard lock(state().mutex);
  return state().script[key];
}

std::uint64_t number(const std::string& key) {
  return std::strtoull(script(key).c_str(), nullptr, 10);
}

void count(const std::string& name, std::int64_t by) {
  const std::lock_guard lock(state().mutex);
  state().counts[name] += by;
}

}  // namespace fake

extern "C" {

void fake_nccl_set(const char* key, const char* value) {
  const std::lock_guard lock(fake::state().mutex);
  fake::state().script[key] = value;
}

void fake_nccl_reset() {
  const std::lock_guard lock(fake::state().mutex);
  fake::state().script = fake::defaults();
  fake::state().counts.clear();
}

std::int64_t fake_nccl_count(const char* name) {
  const std::lock_guard lock(fake::state().mutex);
  return fake::state().counts[name];
}
}
