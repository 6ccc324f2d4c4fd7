#include "meeting_log.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace {

template <typename T>
void put(std::string& bytes, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T take(const std::string& bytes, std::size_t& position) {
  T value;
  if (bytes.size() - position < sizeof value) throw std::runtime_error("a worker's log is cut short");
  std::memcpy(&value, bytes.data() + position, sizeof value);
  position += sizeof value;
  return value;
}

}  // namespace

std::string MeetingLog::pack(std::size_t from, std::size_t count) const {
  std::string bytes;
  for (std::size_t i = from; i < entries.size() && i - from < count; ++i) {
    const LogEntry& entry = entries[i];
    put(bytes, entry.seconds);
    put(bytes, entry.peer);
    put(bytes, static_cast<std::uint32_t>(entry.sketch.size()));
    bytes.append(reinterpret_cast<const char*>(entry.sketch.data()), entry.sketch.size() * sizeof(float));
  }
  return bytes;
}

void MeetingLog::append(const std::string& bytes) {
  std::size_t position = 0;
  while (position < bytes.size()) {
    LogEntry entry;
    entry.seconds = take<double>(bytes, position);
    entry.peer = take<int>(bytes, position);
    const auto size = take<std::uint32_t>(bytes, position);
    if ((bytes.size() - position) / sizeof(float) < size)
      throw std::runtime_error("a worker's log is cut short");
    entry.sketch.resize(size);
    std::memcpy(entry.sketch.data(), bytes.data() + position, size * sizeof(float));
    position += size * sizeof(float);
    entries.push_back(std::move(entry));
  }
}

std::size_t parts_of(std::size_t entries) {
  return std::max<std::size_t>((entries + kEntriesPerPart - 1) / kEntriesPerPart, 1);
}
