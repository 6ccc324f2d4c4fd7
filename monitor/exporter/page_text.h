#pragma once

#include <nlohmann/json.hpp>
#include <string>

/// How pages are written down, whatever bytes a run id or a host's name holds. Pure.
namespace duet::exporter {

std::string html_escaped(const std::string& text);
/// A label's value: at most 256 bytes, and what is no UTF-8 replaced. Prometheus refuses the whole page
/// otherwise.
std::string label_text(const std::string& text);
/// JSON has no NaN: null.
nlohmann::json json_real(double value);
/// What is no UTF-8 is replaced, not thrown at.
std::string json_text(const nlohmann::json& page);

}  // namespace duet::exporter
