#include "plugin-check/report.h"

#include <iomanip>
#include <ostream>
#include <sstream>

#include "contract/rules.h"
#include "transport/plugin_host.h"

namespace duet::plugin_check {
namespace {

constexpr std::size_t kWidth = 100;
constexpr const char* kIndent = "            ";

/// Broken into lines at spaces; later lines are indented further.
void wrap(std::ostream& out, const std::string& text) {
  std::istringstream words(text);
  std::string word, line = kIndent;
  bool empty = true;
  while (words >> word) {
    if (!empty && line.size() + 1 + word.size() > kWidth) {
      out << line << "\n";
      line = std::string(kIndent) + "  ";
      empty = true;
    }
    line += (empty ? "" : " ") + word;
    empty = false;
  }
  out << line << "\n";
}

void print_lines(std::ostream& out, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    out << kIndent << line << "\n";
}

std::string with_unit(std::uint64_t bytes) {
  return bytes == 0 ? "messages of any length" : "messages of up to " + std::to_string(bytes) + " bytes";
}

}  // namespace

void Report::plugin(const std::string& path, const Identity& identity) {
  out_ << identity.name << " " << identity.version << ", ABI " << identity.abi << ", from " << path << "\n";
  for (const std::string& capability : transport::capability_names(identity.capabilities))
    out_ << capability << ", ";
  out_ << with_unit(identity.largest_message) << "\n" << identity.reason << "\n";
}

void Report::add(const Verdict& verdict) {
  if (verdict.group != group_) {
    group_ = verdict.group;
    out_ << "\n" << group_ << "\n";
  }
  const char* label = "  kept      ";
  if (verdict.kind == Verdict::Kind::kBroken) label = "  BROKEN    ";
  if (verdict.kind == Verdict::Kind::kSkipped) label = "  skipped   ";
  out_ << label << verdict.name;
  if (verdict.kind == Verdict::Kind::kSkipped) out_ << ": " << verdict.reason;
  if (verdict.kind != Verdict::Kind::kSkipped)
    out_ << "  (" << std::fixed << std::setprecision(verdict.seconds < 0.095 ? 2 : 1) << verdict.seconds
         << " s)";
  out_ << "\n";
  if (verdict.kind == Verdict::Kind::kBroken) {
    if (!verdict.rules.empty()) out_ << kIndent << "this check holds the plugin to:\n";
    for (const std::string& id : verdict.rules)
      wrap(out_, id + ": " + contract::rule_of(id).text);
    for (const std::string& failure : verdict.failures)
      print_lines(out_, failure);
  }
  out_.flush();
  switch (verdict.kind) {
    case Verdict::Kind::kKept:
      ++kept_;
      break;
    case Verdict::Kind::kBroken:
      ++broken_;
      break;
    case Verdict::Kind::kSkipped:
      ++skipped_;
      break;
  }
}

void Report::totals() {
  out_ << "\n" << kept_ << " kept, " << broken_ << " broken, " << skipped_ << " skipped\n";
  if (broken_ > 0) out_ << "The sentences are those of docs/transport-abi.md, which explains them.\n";
  out_.flush();
}

}  // namespace duet::plugin_check
