#include "report_curves.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace duet::plot {

namespace {

using nlohmann::json;

struct Quantity {
  const char* column;
  const char* title;
  dashboard::ScaleKind scale;
};
const std::vector<Quantity>& quantities(bool training) {
  static const std::vector<Quantity> gossip = {
      {"squared_distance", "squared consensus distance", dashboard::ScaleKind::kLog}};
  static const std::vector<Quantity> train = {
      {"consensus", "consensus distance", dashboard::ScaleKind::kLinear},
      {"loss", "loss of the mean model", dashboard::ScaleKind::kLog}};
  return training ? train : gossip;
}

std::size_t column(const json& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw std::runtime_error("its curves have no \"" + name + "\"");
  return static_cast<std::size_t>(found - names.begin());
}

double number(const json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// A setting as a key can show it. A word says by itself what it is of.
std::string text(const std::string& key, const json& value) {
  std::string name = key;
  std::replace(name.begin(), name.end(), '_', ' ');
  if (value.is_boolean()) return value.get<bool>() ? name : "not " + name;
  const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
  if (value.is_null() || shown.empty()) return "no " + name;
  if (key == "workers") return shown + " workers";
  const bool word = std::isalpha(static_cast<unsigned char>(shown.front())) != 0;
  return word ? shown : name + " " + shown;
}

NamedReport named(const std::string& path, const json& settings) {
  NamedReport report{path, {}};
  for (const auto& [key, value] : settings.items()) {
    if (key != "program" && key != "curve") report.settings[key] = text(key, value);
  }
  return report;
}

json read(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot be read");
  json report = json::parse(in, nullptr, false);
  if (!report.is_object() || !report.contains("settings") || !report.contains("runs"))
    throw std::runtime_error("is no report that duet-sim --report FILE.json wrote");
  return report;
}

}  // namespace

ReportCurves::ReportCurves(const dashboard::Theme& theme, std::string along)
    : theme_(theme), along_(std::move(along)) {}

void ReportCurves::add(const std::string& path) try {
  const json report = read(path);
  const json& settings = report.at("settings");
  const std::string program = settings.at("program");
  const bool training = program.starts_with("duet-sim train");
  const std::string command = training ? "train" : "gossip";
  if (command_.empty()) {
    command_ = command;
    for (const Quantity& quantity : quantities(training)) {
      dashboard::PlotContent content;
      content.title = QString::fromLatin1(quantity.title);
      content.scale = quantity.scale;
      content.along = dashboard::ScaleKind::kLinear;
      contents_.push_back(std::move(content));
    }
  }
  if (command != command_)
    throw std::runtime_error("is of duet-sim " + command + ", the ones before of " + command_);
  const json& names = settings.at("curve");
  const std::size_t at = column(names, along_);
  for (std::size_t k = 0; k < contents_.size(); ++k) {
    const std::size_t of = column(names, quantities(training)[k].column);
    bool first = true;
    for (const json& run : report.at("runs")) {
      const json& points = run.at("curve");
      dashboard::Series& series = series_.emplace_back(points.size() + 1);
      for (const json& point : points) {
        series.append(number(point.at(at)), number(point.at(of)));
        end_ = std::max(end_, number(point.at(at)));
      }
      dashboard::Curve curve;
      curve.series = &series;
      curve.color = theme_.rank(static_cast<int>(reports_.size()));
      for (const double time : series.marks())
        contents_[k].marks.push_back({time, curve.color});
      if (k == 0) report_of_curve_.push_back(reports_.size());
      curve.in_key = std::exchange(first, false);
      contents_[k].curves.push_back(curve);
    }
  }
  reports_.push_back(named(path, settings));
  name_all();
} catch (const std::exception& error) {
  throw std::runtime_error(path + ": " + error.what());
}

void ReportCurves::name_all() {
  const std::vector<std::string> names = names_of(reports_);
  std::string note = shared_by(reports_);
  if (!note.empty()) note += " · ";
  note += "over ";
  note += along_ == "seconds" ? "steps" : along_;
  for (dashboard::PlotContent& content : contents_) {
    content.note = QString::fromStdString(note);
    for (std::size_t k = 0; k < content.curves.size(); ++k)
      content.curves[k].name = QString::fromStdString(names[report_of_curve_[k]]);
  }
}

dashboard::PlotFrame ReportCurves::frame(const dashboard::PlotContent& content) const {
  const dashboard::TimeRange all{0.0, end_ > 0.0 ? end_ : 1.0};
  return {all, dashboard::fitting_values(content, all)};
}

}  // namespace duet::plot
