#include "contract/resources.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>

/// Theirs, where a sanitizer has replaced the heap.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes() __attribute__((weak));

namespace duet::contract {
namespace {

/// The last `<name … key="value"` of glibc's report: the ones before are of single arenas.
std::size_t last_value(const std::string& report, const std::string& element, const std::string& key) {
  const std::size_t at = report.rfind(element);
  if (at == std::string::npos) return 0;
  const std::size_t value = report.find(key + "=\"", at);
  if (value == std::string::npos) return 0;
  return std::strtoull(report.c_str() + value + key.size() + 2, nullptr, 10);
}

}  // namespace

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator begin("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

std::size_t heap_in_use() {
  if (__sanitizer_get_current_allocated_bytes != nullptr) return __sanitizer_get_current_allocated_bytes();
  // mallinfo2() knows the main arena alone.
  char* text = nullptr;
  std::size_t length = 0;
  std::FILE* const stream = open_memstream(&text, &length);
  if (stream == nullptr) throw std::runtime_error("open_memstream");
  malloc_info(0, stream);
  std::fclose(stream);
  const std::string report(text, length);
  std::free(text);
  return last_value(report, "<system type=\"current\"", "size") +
         last_value(report, "<total type=\"mmap\"", "size") -
         last_value(report, "<total type=\"fast\"", "size") -
         last_value(report, "<total type=\"rest\"", "size");
}

unsigned long long processor_time_ns() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<unsigned long long>(used.tv_sec) * 1'000'000'000u +
         static_cast<unsigned long long>(used.tv_nsec);
}

GuardedMemory::GuardedMemory(std::size_t bytes) : bytes_(bytes) {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::runtime_error("mmap");
  data_ = static_cast<unsigned char*>(mapped);
}

GuardedMemory::~GuardedMemory() {
  ::munmap(data_, bytes_);
}

void GuardedMemory::forbid() {
  ::mprotect(data_, bytes_, PROT_NONE);
}

void GuardedMemory::allow() {
  ::mprotect(data_, bytes_, PROT_READ | PROT_WRITE);
}

}  // namespace duet::contract
