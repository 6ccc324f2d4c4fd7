#include "run/prefixer.h"

namespace duet::run {

void Prefixer::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t room = kLongestLine - begun_.size();
    if (newline != std::string_view::npos && newline <= room) {
      emit(bytes.substr(0, newline), out);
      bytes.remove_prefix(newline + 1);
    } else if (bytes.size() > room) {
      emit(bytes.substr(0, room), out);
      bytes.remove_prefix(room);
    } else {
      begun_ += bytes;
      return;
    }
  }
}

void Prefixer::finish(std::string& out) {
  if (!begun_.empty()) emit({}, out);
}

void Prefixer::emit(std::string_view end_of_line, std::string& out) {
  out += prefix_;
  out += begun_;
  out += end_of_line;
  out += '\n';
  begun_.clear();
}

}  // namespace duet::run
