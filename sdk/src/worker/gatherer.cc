#include "worker/gatherer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "duet/error.h"

namespace duet::worker {
namespace {

constexpr double kResendInterval = 0.5;
/// A text is sent again when it should have arrived long ago: by a slow link, beside as many others.
/// Heartbeats wait behind it.
constexpr double kSlowBytesPerSecond = 1e6;
/// Parts for so many rounds from this worker's own on are kept; who is further ahead sends its part again.
constexpr std::uint64_t kRoundsAhead = 4;

}  // namespace

Gatherer::Gatherer(const Options& options, Liveness& liveness, Postbox& postbox)
    : options_(options), liveness_(liveness), postbox_(postbox) {}

int Gatherer::lowest() const {
  const auto live = liveness_.members().live_ranks();
  return live.empty() ? options_.rank : live.front();
}

void Gatherer::start(double now, std::string text, double timeout, std::promise<Texts> promise) {
  ++round_;
  // What came for rounds that are over is of no use any more.
  parts_.erase(parts_.begin(), parts_.lower_bound(round_));
  active_ = true;
  acknowledged_ = false;
  text_ = std::move(text);
  deadline_ = now + timeout;
  next_send_ = now;
  resend_interval_ = kResendInterval + static_cast<double>(text_.size()) / kSlowBytesPerSecond;
  collector_ = lowest();
  promise_ = std::move(promise);
}

void Gatherer::on_part(int from, const control::Part& part) {
  if (part.round >= round_ + kRoundsAhead) return;
  postbox_.send(from, control::PartReceived{part.round});
  // Of a round that is over nobody asks any more.
  if (part.round > round_ || (part.round == round_ && active_)) parts_[part.round][from] = part.text;
}

void Gatherer::on_received(int from, const control::PartReceived& received) {
  if (active_ && received.round == round_ && from == collector_) acknowledged_ = true;
}

void Gatherer::advance(double now) {
  if (!active_) return;
  const auto phase = liveness_.members().of(collector_).phase;
  if (collector_ != options_.rank && phase == membership::Phase::kGone) {
    collector_ = lowest();
    acknowledged_ = false;
    next_send_ = now;
  }
  if (collector_ != options_.rank) {
    // A collector that left had what it wanted, or no more patience; its goodbye may overtake the
    // acknowledgement.
    if (acknowledged_ || now >= deadline_ || phase == membership::Phase::kLeft) {
      finish({});
    } else if (now >= next_send_) {
      next_send_ = now + resend_interval_;
      resend_interval_ *= 2.0;
      postbox_.send(collector_, control::Part{round_, text_});
    }
    return;
  }
  Texts& parts = parts_[round_];
  parts[options_.rank] = text_;
  const auto live = liveness_.members().live_ranks();
  const bool all = std::all_of(live.begin(), live.end(), [&](int rank) { return parts.contains(rank); });
  if (all || now >= deadline_) finish(std::exchange(parts, {}));
}

void Gatherer::finish(Texts texts) {
  active_ = false;
  promise_.set_value(std::move(texts));
}

void Gatherer::fail(const std::string& why) {
  if (!active_) return;
  active_ = false;
  promise_.set_exception(std::make_exception_ptr(TransportError(why)));
}

double Gatherer::next_deadline() const {
  if (!active_) return std::numeric_limits<double>::infinity();
  // The collector waits for letters; the others send theirs until it is acknowledged.
  return acknowledged_ || collector_ == options_.rank ? deadline_ : std::min(deadline_, next_send_);
}

}  // namespace duet::worker
