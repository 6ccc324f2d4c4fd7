#include "worker/position_sketch.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "duet/error.h"
#include "support/log.h"

namespace duet::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBytes = telemetry::kSketchSize * sizeof(double);
constexpr auto kGlance = std::chrono::microseconds(50);

}  // namespace

std::uint64_t sketch_seed(std::uint64_t run_seed) {
  return run_seed ^ 0x5ce7c4a11dea1ULL;
}

PositionSketch::PositionSketch(exchange::Replica& replica, std::uint64_t seed, Side side)
    : replica_(replica), side_(side), sketcher_(seed) {
  for (const auto& part : replica.parts()) {
    There there;
    there.part = part.get();
    there.sums = part->device().allocate(kBytes, "a sketch");
    there.copied_sums = part->device().allocate_pinned(kBytes, "a sketch");
    there.last = part->device().make_event();
    there_.push_back(std::move(there));
  }
}

PositionSketch::~PositionSketch() {
  for (There& there : there_)
    there.part->settle();
}

void PositionSketch::reset() {
  sketcher_.reset();
  for (There& there : there_)
    there.cleared = false;
  next_ = 0;
  fetching_ = false;
}

bool PositionSketch::add(std::size_t most, double patience) {
  const std::size_t end = std::min(replica_.parameter_block_count(), next_ + most);
  const auto deadline = Clock::now() + std::chrono::duration<double>(patience);
  for (; next_ < end; ++next_) {
    if (side_ == Side::kTrainer) {
      add_block(replica_.block(next_));
      continue;
    }
    const double left = std::max(0.0, std::chrono::duration<double>(deadline - Clock::now()).count());
    if (!replica_.in_communication_turn(left, [&] { add_block(replica_.block(next_)); })) return false;
  }
  return true;
}

void PositionSketch::add_block(const exchange::Block& block) {
  if (block.part == nullptr) {
    sketcher_.add(block.x, block.d, block.offset, block.count);
    return;
  }
  There& there =
      *std::find_if(there_.begin(), there_.end(), [&](const There& one) { return one.part == block.part; });
  device::Stream& stream = side_ == Side::kTrainer ? block.part->trainer_stream() : block.part->passes();
  if (!there.cleared) {
    // An earlier sketch that was given up may still be on its way out.
    stream.wait(there.last);
    stream.clear(there.sums.get(), kBytes);
    there.cleared = true;
  }
  stream.sketch(sketcher_.key(), block.x, block.d, block.offset, block.count,
                reinterpret_cast<double*>(there.sums.get()));
  there.last.record(stream);
}

bool PositionSketch::here() {
  if (!fetching_) {
    for (There& there : there_) {
      if (!there.cleared) continue;
      device::Stream& stream =
          side_ == Side::kTrainer ? there.part->trainer_stream() : there.part->outgoing();
      stream.wait(there.last);
      stream.copy(there.copied_sums.get(), there.sums.get(), kBytes, device::Direction::kToHost);
      there.last.record(stream);
    }
    fetching_ = true;
  }
  return std::all_of(there_.begin(), there_.end(), [](const There& there) { return there.last.done(); });
}

void PositionSketch::wait(double seconds) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (!here()) {
    if (Clock::now() >= deadline)
      throw TimeoutError(fmt::format("sketch(): a device has not finished within {:g} s", seconds));
    std::this_thread::sleep_for(kGlance);
  }
}

std::vector<double> PositionSketch::values() const {
  std::vector<double> values = sketcher_.values();
  for (const There& there : there_) {
    if (!there.cleared) continue;
    const auto* const sums = reinterpret_cast<const double*>(there.copied_sums.get());
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] += sums[i];
  }
  return values;
}

}  // namespace duet::worker
