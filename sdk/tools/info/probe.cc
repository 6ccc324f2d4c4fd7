#include "info/probe.h"

#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "duet/error.h"
#include "shared/child_process.h"

namespace duet::info {
namespace {

using Json = nlohmann::json;

Json to_json(const TransportCandidate& candidate) {
  return {{"name", candidate.name},       {"path", candidate.path},
          {"version", candidate.version}, {"abi", candidate.abi},
          {"loaded", candidate.loaded},   {"viable", candidate.viable},
          {"reason", candidate.reason},   {"capabilities", candidate.capabilities}};
}

TransportCandidate from_json(const Json& json) {
  TransportCandidate candidate;
  json.at("name").get_to(candidate.name);
  json.at("path").get_to(candidate.path);
  json.at("version").get_to(candidate.version);
  json.at("abi").get_to(candidate.abi);
  json.at("loaded").get_to(candidate.loaded);
  json.at("viable").get_to(candidate.viable);
  json.at("reason").get_to(candidate.reason);
  json.at("capabilities").get_to(candidate.capabilities);
  return candidate;
}

using Failures = std::map<std::string, std::string>;  // path → what it did

std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// In the child.
void discover(const tools::Say& say, const ProbeRequest& request, const Failures& failures) {
  try {
    const auto may_load = [&](const std::string& path) {
      if (failures.contains(path)) return false;
      say(line({{"loading", path}}));
      return true;
    };
    const auto found =
        discover_transports(request.plugin_path, may_load, request.transport, request.transport_settings);
    Json list = Json::array();
    for (const TransportCandidate& candidate : found)
      list.push_back(to_json(candidate));
    say(line({{"found", list}}));
  } catch (const std::exception& error) {
    say(line({{"error", error.what()}}));
  }
}

struct Outcome {
  std::optional<std::vector<TransportCandidate>> found;
  std::string loading;  ///< the last file that was begun
  std::string failure;  ///< what became of the child, if it did not find
};

void take(const Json& message, Outcome& outcome) {
  if (message.contains("loading")) {
    message["loading"].get_to(outcome.loading);
  } else if (message.contains("error")) {
    message["error"].get_to(outcome.failure);
  } else {
    outcome.found.emplace();
    for (const Json& candidate : message.at("found"))
      outcome.found->push_back(from_json(candidate));
  }
}

Outcome probe_in_child(const ProbeRequest& request, const Failures& failures) {
  Outcome outcome;
  const std::string end =
      tools::run_in_child([&](const tools::Say& say) { discover(say, request, failures); }, request.patience,
                          [&](const std::string& text) { take(Json::parse(text), outcome); });
  if (outcome.failure.empty()) outcome.failure = end;
  return outcome;
}

}  // namespace

std::vector<TransportCandidate> probe_transports(const ProbeRequest& request) {
  Failures failures;
  for (;;) {
    Outcome outcome = probe_in_child(request, failures);
    if (!outcome.found) {
      // Without a plugin to blame, or blaming one that was not even touched, there is no point in another
      // attempt.
      if (outcome.loading.empty() || !failures.emplace(outcome.loading, outcome.failure).second) {
        throw Error("looking for transports failed: " + outcome.failure);
      }
      continue;
    }
    for (TransportCandidate& candidate : *outcome.found) {
      const auto failure = failures.find(candidate.path);
      if (failure != failures.end()) candidate.reason = failure->second + " when it was loaded and probed";
    }
    return *outcome.found;
  }
}

}  // namespace duet::info
