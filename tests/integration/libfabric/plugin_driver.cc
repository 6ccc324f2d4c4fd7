#include "integration/libfabric/plugin_driver.h"

#include <dirent.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace duet::driver {

namespace {

void log_to_stderr(std::int32_t level, const char* text) {
  if (level >= DUET_LOG_WARNING) {
    std::fprintf(stderr, "plugin: %s\n", text);
  }
}

const duet_services kServices = {sizeof(duet_services),
                                 DUET_TRANSPORT_ABI_MAJOR,
                                 DUET_TRANSPORT_ABI_MINOR,
                                 0,
                                 log_to_stderr,
                                 now_ns,
                                 nullptr};

const duet_transport& load() {
  void* library = dlopen(DUET_LIBFABRIC_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw std::runtime_error(dlerror());
  }
  const auto entry =
      reinterpret_cast<duet_transport_plugin_function>(dlsym(library, DUET_TRANSPORT_PLUGIN_SYMBOL));
  std::array<char, 200> reason{};
  const duet_transport* table = entry(&kServices, reason.data(), reason.size());
  if (table == nullptr) {
    throw std::runtime_error(reason.data());
  }
  return *table;
}

duet_connect_request make_request(std::uint64_t session, std::uint64_t deadline_ns) {
  duet_connect_request request{};
  request.struct_size = sizeof request;
  request.session = session;
  request.deadline_ns = deadline_ns;
  request.peer = "rank 3";
  return request;
}

duet_memory host_memory(void* data, std::uint64_t bytes) {
  duet_memory memory{};
  memory.data = data;
  memory.bytes = bytes;
  return memory;
}

}  // namespace

const duet_transport& plugin() {
  static const duet_transport& table = load();
  return table;
}

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::uint64_t in_ms(std::uint64_t milliseconds) {
  return now_ns() + milliseconds * 1'000'000;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) {
    ++count;
  }
  closedir(directory);
  return count;
}

Endpoint::Endpoint(const std::vector<std::pair<const char*, const char*>>& settings) {
  std::vector<duet_setting> list;
  list.reserve(settings.size());
  for (const auto& [key, value] : settings) {
    list.push_back({key, value});
  }
  duet_error error{};
  if (plugin().open_context(list.data(), static_cast<std::uint32_t>(list.size()), &context_, &error) !=
      DUET_OK) {
    throw std::runtime_error(error.text);
  }
}

void Endpoint::close() {
  if (context_ != nullptr) {
    plugin().close_context(context_);
    context_ = nullptr;
  }
}

std::string Endpoint::address() const {
  std::array<char, 512> bytes{};
  std::uint64_t length = bytes.size();
  EXPECT_EQ(plugin().get_address(context_, bytes.data(), &length), DUET_OK);
  return {bytes.data(), length};
}

duet_connection* Endpoint::connect(const std::string& address, std::uint64_t session,
                                   std::uint64_t deadline_ns) {
  duet_connect_request request = make_request(session, deadline_ns);
  request.address = address.data();
  request.address_bytes = address.size();
  duet_connection* connection = nullptr;
  duet_error error{};
  EXPECT_EQ(plugin().connect(context_, &request, &connection, &error), DUET_OK) << error.text;
  return connection;
}

duet_connection* Endpoint::accept(std::uint64_t session, std::uint64_t deadline_ns) {
  const duet_connect_request request = make_request(session, deadline_ns);
  duet_connection* connection = nullptr;
  duet_error error{};
  EXPECT_EQ(plugin().accept(context_, &request, &connection, &error), DUET_OK) << error.text;
  return connection;
}

duet_status Endpoint::send(duet_connection* connection, const void* data, std::uint64_t bytes,
                           std::uint64_t operation, std::uint64_t deadline_ns) {
  const duet_memory memory = host_memory(const_cast<void*>(data), bytes);
  duet_error error{};
  return plugin().post_send(connection, &memory, operation, deadline_ns, &error);
}

duet_status Endpoint::receive(duet_connection* connection, void* data, std::uint64_t bytes,
                              std::uint64_t operation, std::uint64_t deadline_ns) {
  const duet_memory memory = host_memory(data, bytes);
  duet_error error{};
  return plugin().post_receive(connection, &memory, operation, deadline_ns, &error);
}

void Endpoint::poll(std::uint64_t timeout_ns) {
  std::array<duet_completion, 8> completions{};
  std::uint32_t count = 0;
  duet_error error{};
  ASSERT_EQ(plugin().poll(context_, completions.data(), completions.size(), timeout_ns, &count, &error),
            DUET_OK)
      << error.text;
  for (std::uint32_t index = 0; index < count; ++index) {
    const bool first = finished_.emplace(completions[index].operation, completions[index]).second;
    EXPECT_TRUE(first) << "operation " << completions[index].operation << " completed twice";
  }
}

bool Endpoint::poll_until(const std::function<bool()>& done, std::uint64_t milliseconds) {
  const std::uint64_t end = in_ms(milliseconds);
  while (!done()) {
    const std::uint64_t now = now_ns();
    if (now >= end) {
      return false;
    }
    poll(end - now);
  }
  return true;
}

bool Endpoint::poll_until_finished(std::size_t operations, std::uint64_t milliseconds) {
  return poll_until([&] { return finished_.size() >= operations; }, milliseconds);
}

duet_status Endpoint::status_of(std::uint64_t operation) const {
  const auto found = finished_.find(operation);
  return found == finished_.end() ? -1 : found->second.status;
}

std::int32_t state_of(duet_connection* connection) {
  return plugin().connection_state(connection, nullptr);
}

duet_error error_of(duet_connection* connection) {
  duet_error error{};
  plugin().last_error(connection, &error);
  return error;
}

bool poll_both(Endpoint& a, Endpoint& b, const std::function<bool()>& done, std::uint64_t milliseconds) {
  const std::uint64_t end = in_ms(milliseconds);
  while (!done()) {
    if (now_ns() >= end) {
      return false;
    }
    a.poll(200'000);
    b.poll(200'000);
  }
  return true;
}

bool both_ready(duet_connection* a, duet_connection* b) {
  return state_of(a) == DUET_CONNECTION_READY && state_of(b) == DUET_CONNECTION_READY;
}

Pair::Pair() {
  from_a = a.connect(b.address(), 1, in_ms(5000));
  from_b = b.accept(1, in_ms(5000));
  EXPECT_TRUE(poll_both(
      a, b, [&] { return both_ready(from_a, from_b); }, 5000));
}

Child::Child(const std::function<void(Child&)>& body) {
  int down[2];
  int up[2];
  if (pipe(down) != 0 || pipe(up) != 0) {
    throw std::runtime_error("pipe");
  }
  process_ = fork();
  const bool is_child = process_ == 0;
  in_ = is_child ? down[0] : up[0];
  out_ = is_child ? up[1] : down[1];
  ::close(is_child ? down[1] : up[1]);
  ::close(is_child ? up[0] : down[0]);
  if (is_child) {
    alarm(60);  // never outlives a test that hangs
    body(*this);
    std::_Exit(testing::Test::HasFailure() ? 1 : 0);
  }
}

Child::~Child() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    wait();
  }
  ::close(in_);
  ::close(out_);
}

void Child::write(const std::string& text) const {
  const auto length = static_cast<std::uint32_t>(text.size());
  if (::write(out_, &length, sizeof length) != sizeof length ||
      ::write(out_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("the other process does not listen");
  }
}

std::string Child::read() const {
  std::uint32_t length = 0;
  if (::read(in_, &length, sizeof length) != sizeof length) {
    throw std::runtime_error("the other process is gone");
  }
  std::string text(length, '\0');
  std::size_t done = 0;
  while (done < length) {
    const ssize_t bytes = ::read(in_, text.data() + done, length - done);
    if (bytes <= 0) {
      throw std::runtime_error("the other process is gone");
    }
    done += static_cast<std::size_t>(bytes);
  }
  return text;
}

void Child::signal(int number) const {
  kill(process_, number);
}

int Child::wait() {
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = -1;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace duet::driver
