#include "meeting_log.h"

#include <cstring>
#include <stdexcept>
#include <type_traits>

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

std::string MeetingLog::pack() const {
  std::string bytes;
  for (const auto& entry : entries) {
    put(bytes, entry.seconds);
    put(bytes, entry.peer);
    put(bytes, static_cast<std::uint32_t>(entry.sketch.size()));
    bytes.append(reinterpret_cast<const char*>(entry.sketch.data()), entry.sketch.size() * sizeof(float));
  }
  return bytes;
}

MeetingLog MeetingLog::unpack(const std::string& bytes) {
  MeetingLog log;
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
    log.entries.push_back(std::move(entry));
  }
  return log;
}
