#include "nccl_library.h"

#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#include "failure.h"
#include "shared_object.h"

namespace duet::nccl {
namespace {

/// Non-blocking communicators came with 2.14, their channels' limit (maxCTAs) with 2.17; 2.18 mended both.
constexpr int kOldest = NCCL_VERSION(2, 18, 0);

std::string version_text(int code) {
  return std::to_string(code / 10000) + "." + std::to_string(code / 100 % 100) + "." +
         std::to_string(code % 100);
}

}  // namespace

NcclLibrary::NcclLibrary(const std::string& library) {
  const SharedObject object(library.empty() ? "libnccl.so.2" : library, "NCCL");
  object.get("ncclGetVersion", get_version);
  if (const ncclResult_t result = get_version(&version_); result != ncclSuccess)
    throw FailureError(DUET_NOT_SUPPORTED, "NCCL does not tell its version");
  if (version_ < kOldest) {
    // Before 2.9 the code had one digit less for the minor version.
    const std::string found = version_ < 10000 ? "code " + std::to_string(version_) : version_text(version_);
    throw FailureError(DUET_NOT_SUPPORTED, "NCCL " + found + " is too old: 2.18 or newer is needed");
  }
  object.get("ncclGetUniqueId", get_unique_id);
  object.get("ncclCommInitRankConfig", init_rank);
  object.get("ncclCommGetAsyncError", async_error);
  object.get("ncclCommAbort", abort);
  object.get("ncclGroupStart", group_start);
  object.get("ncclGroupEnd", group_end);
  object.get("ncclSend", send);
  object.get("ncclRecv", receive);
  object.get("ncclGetErrorString", get_error_string_);
  object.get("ncclGetLastError", get_last_error_);
}

const NcclLibrary& NcclLibrary::load(const std::string& library) {
  // Never destroyed: teardown threads may use them until the very end.
  static std::mutex mutex;
  static auto* const loaded = new std::map<std::string, std::unique_ptr<NcclLibrary>>;
  const std::lock_guard lock(mutex);
  auto& found = (*loaded)[library];
  if (found == nullptr) found.reset(new NcclLibrary(library));
  return *found;
}

std::string NcclLibrary::version() const {
  return version_text(version_);
}

std::string NcclLibrary::error_text(ncclResult_t result, ncclComm_t communicator) const {
  std::string text =
      std::string(get_error_string_(result)) + " (" + std::to_string(static_cast<int>(result)) + ")";
  const char* last = get_last_error_(communicator);
  if (last != nullptr && *last != '\0') text += std::string(": ") + last;
  return text;
}

void NcclLibrary::give_back(const std::vector<UniqueId>& ids) const {
  const std::lock_guard lock(mutex_);
  unused_.insert(unused_.end(), ids.begin(), ids.end());
}

UniqueId NcclLibrary::unique_id() const {
  {
    const std::lock_guard lock(mutex_);
    if (!unused_.empty()) {
      const UniqueId id = unused_.back();
      unused_.pop_back();
      return id;
    }
  }
  ncclUniqueId made{};
  if (const ncclResult_t result = get_unique_id(&made); result != ncclSuccess)
    throw FailureError(DUET_BROKEN, "NCCL makes no unique id: " + error_text(result));
  UniqueId id{};
  static_assert(sizeof made.internal == id.size());
  std::memcpy(id.data(), made.internal, id.size());
  return id;
}

}  // namespace duet::nccl
