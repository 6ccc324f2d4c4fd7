/// As much of NCCL as the transport needs, over UNIX sockets, with its manners: a communicator runs its
/// groups in order, a group blocks until its counterpart runs over there, and on one device there is one
/// rank.
#include <fcntl.h>
#include <nccl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "device.h"
#include "script.h"

namespace fake {
namespace {

struct Operation {
  bool send = false;
  unsigned char* data = nullptr;
  std::uint64_t bytes = 0;
};

struct Group {
  std::vector<Operation> operations;
  Stream* stream = nullptr;
};

/// What ncclGroupStart() and ncclGroupEnd() enclose, in this thread.
struct Enclosed {
  int depth = 0;
  ncclComm_t communicator = nullptr;
  Group group;
};
/// No thread_local (device.cc says why). A map's entries stay where they are.
Enclosed& enclosed() {
  static std::mutex mutex;
  static auto* const all = new std::map<std::thread::id, Enclosed>;
  const std::lock_guard lock(mutex);
  return (*all)[std::this_thread::get_id()];
}

/// The sockets of ids that were made here and not used yet.
struct Roots {
  std::mutex mutex;
  std::map<std::string, int> listening;
  int made = 0;
};
Roots& roots() {
  static Roots* const instance = new Roots;
  return *instance;
}

sockaddr_un address_of(const std::string& name, socklen_t* size) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Abstract: a leading zero byte, and nothing left behind in any folder.
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  *size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}

void nap(std::uint64_t milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

}  // namespace
}  // namespace fake

struct ncclComm {
  int device = 0, ranks = 0, rank = 0;
  std::string id;
  std::atomic<ncclResult_t> state{ncclInProgress};
  std::atomic<bool> aborted{false};
  int socket = -1;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<fake::Group> groups;  // the first is running
  std::thread thread;

  void run();
  bool meet();
  bool execute(const fake::Group& group);
  bool exchange(const std::vector<fake::Operation>& operations);
  bool exchange_with_self(const std::vector<fake::Operation>& operations);
  void hang() const {
    while (!aborted)
      fake::nap(1);
  }
};

void ncclComm::run() {
  const std::string init = fake::script("init");
  if (init == "hang") return hang();
  if (init == "slow") fake::nap(fake::number("slow_ms"));
  if (init == "fail") {
    state = ncclInternalError;
    return;
  }
  if (!meet()) return;
  state = ncclSuccess;
  for (;;) {
    fake::Group group;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return aborted || !groups.empty(); });
      if (aborted) return;
      group = groups.front();
    }
    if (fake::script("enqueue") == "slow") fake::nap(fake::number("slow_ms"));
    if (state == ncclInProgress) state = ncclSuccess;  // it is with the device now
    if (!execute(group)) return hang();
    {
      const std::lock_guard lock(mutex);
      groups.pop_front();
    }
    fake::count("groups");
    group.stream->complete();
  }
}

bool ncclComm::meet() {
  int listening = -1;
  if (rank == 0) {
    const std::lock_guard lock(fake::roots().mutex);
    const auto found = fake::roots().listening.find(id);
    if (found == fake::roots().listening.end()) {
      fake::count("misuses");  // an id of another process, or used twice
      state = ncclInvalidUsage;
      return false;
    }
    listening = found->second;
    fake::roots().listening.erase(found);
  }
  while (ranks == 2 && socket < 0 && !aborted) {
    if (rank == 0) {
      socket = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } else {
      const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      socklen_t size = 0;
      const sockaddr_un address = fake::address_of(id, &size);
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) {
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
        socket = fd;
      } else {
        ::close(fd);
      }
    }
    if (socket < 0) fake::nap(1);
  }
  if (listening >= 0) ::close(listening);
  return !aborted;
}

bool ncclComm::execute(const fake::Group& group) {
  const std::string how = fake::script("group");
  if (how == "hang") return false;
  if (how == "slow") fake::nap(fake::number("slow_ms"));
  if (how == "remote") {
    state = ncclRemoteError;
    return false;
  }
  if (how == "device") {
    group.stream->fail();
    return false;
  }
  return ranks == 1 ? exchange_with_self(group.operations) : exchange(group.operations);
}

bool ncclComm::exchange_with_self(const std::vector<fake::Operation>& operations) {
  std::vector<fake::Operation> sends, receives;
  for (const auto& operation : operations)
    (operation.send ? sends : receives).push_back(operation);
  if (sends.size() != receives.size()) {
    fake::count("mismatches");
    return false;
  }
  for (std::size_t i = 0; i < sends.size(); ++i) {
    if (sends[i].bytes != receives[i].bytes) {
      fake::count("mismatches");
      return false;
    }
    std::memcpy(receives[i].data, sends[i].data, sends[i].bytes);
  }
  return true;
}

/// All at once, as in one kernel; each direction in order. Every message is preceded by its size.
bool ncclComm::exchange(const std::vector<fake::Operation>& operations) {
  struct Way {
    std::vector<fake::Operation> left;
    std::size_t next = 0;
    std::uint64_t moved = 0;  // of the present one, its size included
    std::uint64_t size = 0;
    bool done() const { return next == left.size(); }
  } out, in;
  for (const auto& operation : operations)
    (operation.send ? out : in).left.push_back(operation);
  while (!aborted && (!out.done() || !in.done())) {
    bool moved = false;
    for (Way* way : {&out, &in}) {
      while (!way->done() && !aborted) {
        fake::Operation& operation = way->left[way->next];
        if (operation.send) way->size = operation.bytes;
        const bool head = way->moved < sizeof way->size;
        unsigned char* const from = head ? reinterpret_cast<unsigned char*>(&way->size) + way->moved
                                         : operation.data + (way->moved - sizeof way->size);
        const std::uint64_t bytes =
            head ? sizeof way->size - way->moved : sizeof way->size + operation.bytes - way->moved;
        const ssize_t n =
            operation.send ? ::send(socket, from, bytes, MSG_NOSIGNAL) : ::recv(socket, from, bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n <= 0) {
          if (fake::script("peer_death") == "error") state = ncclRemoteError;
          return false;
        }
        moved = true;
        way->moved += static_cast<std::uint64_t>(n);
        if (way->moved < sizeof way->size) continue;
        if (way->size != operation.bytes) {
          fake::count("mismatches");
          return false;
        }
        if (way->moved == sizeof way->size + operation.bytes) {
          ++way->next;
          way->moved = 0;
        }
      }
    }
    if (moved) continue;
    pollfd interest{socket, static_cast<short>((in.done() ? 0 : POLLIN) | (out.done() ? 0 : POLLOUT)), 0};
    ::poll(&interest, 1, 1);
  }
  return !aborted;
}

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = static_cast<int>(fake::number("version"));
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t) {
  return "a scripted error";
}
const char* ncclGetLastError(ncclComm_t) {
  return "as the test asked for";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const std::lock_guard lock(fake::roots().mutex);
  const std::string name =
      "duet-fake-nccl-" + std::to_string(::getpid()) + "-" + std::to_string(++fake::roots().made);
  socklen_t size = 0;
  const sockaddr_un address = fake::address_of(name, &size);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd, 8) != 0) {
    ::close(fd);
    return ncclSystemError;
  }
  fake::roots().listening[name] = fd;
  std::memset(id->internal, 0, sizeof id->internal);
  std::memcpy(id->internal, name.data(), name.size());
  fake::count("unique_ids");
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* communicator, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  *communicator = nullptr;
  if (fake::current_device() < 0 || config->blocking != 0 || rank < 0 || rank >= ranks) {
    fake::count("misuses");
    return ncclInvalidUsage;
  }
  auto* const made = new ncclComm;
  made->device = fake::current_device();
  made->ranks = ranks;
  made->rank = rank;
  made->id.assign(id.internal, ::strnlen(id.internal, sizeof id.internal));
  fake::count("communicators");
  fake::count("opened");
  made->thread = std::thread([made] { made->run(); });
  *communicator = made;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator, ncclResult_t* state) {
  *state = communicator->state;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  if (fake::current_device() != communicator->device) fake::count("misuses");
  fake::count("aborting");
  fake::nap(fake::number("abort_ms"));
  {
    const std::lock_guard lock(communicator->mutex);
    communicator->aborted = true;
    communicator->changed.notify_all();
  }
  communicator->thread.join();
  if (fake::script("scribble") == "1") {
    for (const auto& group : communicator->groups) {
      for (const auto& operation : group.operations)
        if (!operation.send) std::memset(operation.data, 0xee, operation.bytes);
    }
  }
  if (communicator->socket >= 0) ::close(communicator->socket);
  delete communicator;
  fake::count("communicators", -1);
  fake::count("aborts");
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++fake::enclosed().depth;
  return ncclSuccess;
}

static ncclResult_t enclose(bool send, const void* data, std::size_t bytes, ncclDataType_t type, int peer,
                            ncclComm_t communicator, cudaStream_t stream) {
  fake::Enclosed& now = fake::enclosed();
  const int other = communicator->ranks == 1 ? 0 : 1 - communicator->rank;
  unsigned char* const found = fake::find_device_memory(data, bytes);
  if (now.depth != 1 || type != ncclInt8 || peer != other || communicator->state != ncclSuccess ||
      fake::current_device() != communicator->device || found == nullptr) {
    fake::count("misuses");
    return ncclInvalidUsage;
  }
  now.communicator = communicator;
  now.group.stream = &fake::stream_of(reinterpret_cast<CUstream>(stream));
  now.group.operations.push_back({send, found, bytes});
  return ncclSuccess;
}

ncclResult_t ncclSend(const void* data, std::size_t count, ncclDataType_t type, int peer,
                      ncclComm_t communicator, cudaStream_t stream) {
  return enclose(true, data, count, type, peer, communicator, stream);
}
ncclResult_t ncclRecv(void* data, std::size_t count, ncclDataType_t type, int peer, ncclComm_t communicator,
                      cudaStream_t stream) {
  return enclose(false, data, count, type, peer, communicator, stream);
}

ncclResult_t ncclGroupEnd() {
  fake::Enclosed& now = fake::enclosed();
  if (--now.depth != 0) {
    fake::count("misuses");
    return ncclInvalidUsage;
  }
  ncclComm_t const communicator = std::exchange(now.communicator, nullptr);
  fake::Group group = std::exchange(now.group, {});
  if (communicator == nullptr) return ncclSuccess;
  const std::string how = fake::script("enqueue");
  if (how == "fail") return ncclInternalError;
  if (how == "slow") communicator->state = ncclInProgress;
  group.stream->submit();
  const std::lock_guard lock(communicator->mutex);
  communicator->groups.push_back(std::move(group));
  communicator->changed.notify_all();
  return how == "slow" ? ncclInProgress : ncclSuccess;
}
}
