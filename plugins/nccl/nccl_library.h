#pragma once

#include <nccl.h>

#include <mutex>
#include <string>
#include <vector>

#include "ticket.h"

namespace duet::nccl {

/// libnccl.so.2, found at run time. Thread-safe.
class NcclLibrary {
 public:
  /// library: empty for libnccl.so.2 by the usual search. Once per library and process. Throws FailureError
  /// (DUET_NOT_SUPPORTED): not found, or too old.
  static const NcclLibrary& load(const std::string& library);

  std::string version() const;  ///< "2.28.9"
  /// "unhandled cuda error (1): …", with the library's own last words about this communicator.
  std::string error_text(ncclResult_t result, ncclComm_t communicator = nullptr) const;
  /// One that was given back, or a new one. Throws FailureError (DUET_BROKEN).
  UniqueId unique_id() const;
  /// Ids that no communicator was opened with: NCCL keeps a thread and a socket for each until it is used.
  void give_back(const std::vector<UniqueId>& ids) const;

  decltype(::ncclGetVersion)* get_version = nullptr;
  decltype(::ncclGetUniqueId)* get_unique_id = nullptr;
  decltype(::ncclCommInitRankConfig)* init_rank = nullptr;
  decltype(::ncclCommGetAsyncError)* async_error = nullptr;
  decltype(::ncclCommAbort)* abort = nullptr;
  decltype(::ncclGroupStart)* group_start = nullptr;
  decltype(::ncclGroupEnd)* group_end = nullptr;
  decltype(::ncclSend)* send = nullptr;
  decltype(::ncclRecv)* receive = nullptr;

 private:
  explicit NcclLibrary(const std::string& library);
  decltype(::ncclGetErrorString)* get_error_string_ = nullptr;
  decltype(::ncclGetLastError)* get_last_error_ = nullptr;
  int version_ = 0;
  mutable std::mutex mutex_;  // guards unused_
  mutable std::vector<UniqueId> unused_;
};

}  // namespace duet::nccl
