#include "shared/failure.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace duet::plugins {
namespace {

// Atomic: where two copies of the host are loaded, each hands in its own table, and either will do.
std::atomic<const duet_services*> current_services{nullptr};

}  // namespace

void copy_text(const std::string& text, char* to, std::size_t bytes) {
  const std::size_t length = std::min(text.size(), bytes - 1);
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

void write_error(const Failure& failure, duet_error* error) {
  if (error == nullptr) return;
  error->status = failure.status;
  error->system_error = failure.system_error;
  copy_text(failure.text, error->text, sizeof error->text);
}

bool Host::set_services(const duet_services* services) {
  constexpr std::size_t kNeeded = offsetof(duet_services, now_ns) + sizeof services->now_ns;
  if (services == nullptr || services->struct_size < kNeeded || services->now_ns == nullptr) return false;
  current_services = services;
  return true;
}

void Host::log(int level, const std::string& text) noexcept {
  const duet_services* services = current_services;
  if (services->log != nullptr) services->log(level, text.c_str());
}

std::uint64_t Host::now_ns() {
  return current_services.load()->now_ns();
}

void Host::count(const char* name) noexcept {
  const duet_services* services = current_services;
  constexpr std::size_t kNeeded = offsetof(duet_services, count) + sizeof services->count;
  if (services->struct_size >= kNeeded && services->count != nullptr) services->count(name, 1);
}

}  // namespace duet::plugins
