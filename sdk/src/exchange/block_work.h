#pragma once

#include <cstdint>
#include <string>

#include "duet/status.h"
#include "exchange/block_header.h"
#include "exchange/replica.h"
#include "exchange/staging.h"

namespace duet::exchange {

/// What kind of refusal a text of begin_check() or check() is.
RejectReason reason_of_refusal(const std::string& wrong);

/// What a meeting does with one block and its two staging slots: at once where the block is in host memory,
/// in the order of streams where it is on a device. There the snapshot is taken on the device's passes(),
/// goes to the slot's host memory on outgoing(), the peer's comes back on incoming() and is compared there,
/// and is applied on passes(); with a transport that takes device memory, the copies shrink to the headers.
/// What is begun here is asked for later; nothing waits.
class BlockWork {
 public:
  BlockWork(const Staging& staging, std::uint64_t token, DType wire)
      : staging_(staging), token_(token), wire_(wire) {}

  /// Behind the gate: d += c·z, z ·= 1 − 2c, the position to `own`.
  void snapshot(const Block& block, const BlockHeader& header, Slot& own, float c) const;
  /// Whether it can be sent. Seals it; so ask until it is true, and then not again.
  bool sealed(const Block& block, const BlockHeader& header, Slot& own) const;
  /// Whether the transport may write to it.
  bool receivable(const Block& block, Slot& peers) const;

  /// Of a block that was received, and whose own snapshot was sealed: compares it with what was expected, and
  /// begins to compare the two snapshots. Not empty: it must be refused, and why.
  std::string begin_check(const Block& block, const BlockHeader& header, Slot& own, Slot& peers) const;
  enum class Verdict : std::uint8_t { kPending, kGood, kBad };
  struct Checked {
    Verdict verdict = Verdict::kPending;
    double squared_distance = 0.0;
    std::string wrong;
  };
  Checked check(const Block& block, const BlockHeader& header, Slot& peers) const;

  /// Behind the gate.
  void apply(const Block& block, Slot& own, Slot& peers, float alpha, float beta) const;
  static void mix(const Block& block, float c);

 private:
  const Staging& staging_;
  std::uint64_t token_;
  DType wire_;
};

}  // namespace duet::exchange
