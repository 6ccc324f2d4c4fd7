#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "duet/plugin/transport.h"

/// The least of a host: loads the plugin as a shared object and drives its table directly.
namespace duet::driver {

const duet_transport& plugin();
std::uint64_t now_ns();
std::uint64_t in_ms(std::uint64_t milliseconds);  ///< a deadline that far from now
double cpu_seconds();                             ///< of this process
std::size_t open_descriptors();

class Endpoint {
 public:
  explicit Endpoint(const std::vector<std::pair<const char*, const char*>>& settings = {});
  ~Endpoint() { close(); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  void close();

  duet_context* get() const { return context_; }
  std::string address() const;
  duet_connection* connect(const std::string& address, std::uint64_t session, std::uint64_t deadline_ns = 0);
  duet_connection* accept(std::uint64_t session, std::uint64_t deadline_ns = 0);
  duet_status send(duet_connection* connection, const void* data, std::uint64_t bytes,
                   std::uint64_t operation, std::uint64_t deadline_ns = 0);
  duet_status receive(duet_connection* connection, void* data, std::uint64_t bytes, std::uint64_t operation,
                      std::uint64_t deadline_ns = 0);

  /// Collects completions; a second one for the same operation fails the test.
  void poll(std::uint64_t timeout_ns);
  /// Polls until done() or for at most `milliseconds`; whether it became true.
  bool poll_until(const std::function<bool()>& done, std::uint64_t milliseconds);
  bool poll_until_finished(std::size_t operations, std::uint64_t milliseconds);
  const std::map<std::uint64_t, duet_completion>& finished() const { return finished_; }
  duet_status status_of(std::uint64_t operation) const;
  void forget_finished() { finished_.clear(); }

 private:
  duet_context* context_ = nullptr;
  std::map<std::uint64_t, duet_completion> finished_;
};

std::int32_t state_of(duet_connection* connection);
duet_error error_of(duet_connection* connection);

/// Polls both in turn: two endpoints of one process.
bool poll_both(Endpoint& a, Endpoint& b, const std::function<bool()>& done, std::uint64_t milliseconds);

bool both_ready(duet_connection* a, duet_connection* b);

/// Two endpoints of this process and a connection between them that is ready.
struct Pair {
  Pair();

  Endpoint a;
  Endpoint b;
  duet_connection* from_a = nullptr;
  duet_connection* from_b = nullptr;
};

/// A child process that runs `body`, with a pipe each way. Fork before opening endpoints in the parent: a
/// child would inherit their sockets and keep them alive. Killed at the end if it has not left by itself.
class Child {
 public:
  explicit Child(const std::function<void(Child&)>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void write(const std::string& text) const;  ///< either side; a length and the text
  std::string read() const;
  void signal(int number) const;
  int wait();  ///< its exit status, or minus the signal that ended it

 private:
  pid_t process_ = -1;
  int in_ = -1;
  int out_ = -1;
};

}  // namespace duet::driver
