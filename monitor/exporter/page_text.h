#pragma once

#include <nlohmann/json.hpp>
#include <string>

/// How pages are written down, whatever bytes a run id or a host's name holds. Pure.
namespace duet::exporter {

std::string html_escaped(const std::string& text);
/// JSON has no NaN: null.
nlohmann::json json_real(double value);
/// What is no UTF-8 is replaced, not thrown at.
std::string json_text(const nlohmann::json& page);

}  // namespace duet::exporter
