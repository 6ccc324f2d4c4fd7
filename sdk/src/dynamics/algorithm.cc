#include "duet/algorithm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "duet/error.h"

namespace duet {

MeetingAlgorithm::~MeetingAlgorithm() = default;
StepContext::~StepContext() = default;
StepAlgorithm::~StepAlgorithm() = default;

namespace {

class A2Cid2 final : public MeetingAlgorithm {
 public:
  explicit A2Cid2(const Constants& constants) : constants_(constants) {
    // A worker without neighbours has the constants of an empty graph, all zero: it never meets, so anything
    // will do.
    if (!(constants.eta >= 0.0) || !std::isfinite(constants.eta) || !std::isfinite(constants.alpha) ||
        !std::isfinite(constants.alpha_tilde)) {
      throw ConfigurationError("a2cid2 cannot run with eta = " + std::to_string(constants.eta) +
                               ", alpha = " + std::to_string(constants.alpha) +
                               ", alpha~ = " + std::to_string(constants.alpha_tilde) +
                               ": take them from Topology::constants() of a connected graph");
    }
  }
  std::string_view name() const override { return "a2cid2"; }
  // Also on graphs where there is nothing to accelerate: a ring of 4 that loses a member becomes such a graph
  // while its z is not zero yet.
  bool has_momentum() const override { return true; }
  MeetingCoefficients coefficients(double dt) const override {
    MeetingCoefficients result;
    // expm1: with meetings in quick succession 2η·dt is small, and 1 − e^(−2η·dt) would lose most of its
    // digits.
    result.c = dt > 0.0 ? -0.5 * std::expm1(-2.0 * constants_.eta * dt) : 0.0;
    result.alpha = constants_.alpha;
    result.alpha_tilde_minus_alpha = constants_.alpha_tilde - constants_.alpha;
    return result;
  }

 private:
  Constants constants_;
};

class AdPsgd final : public MeetingAlgorithm {
 public:
  std::string_view name() const override { return "adpsgd"; }
  bool has_momentum() const override { return false; }
  MeetingCoefficients coefficients(double) const override { return {}; }
};

// Synchronous algorithms wait for the slowest worker's step, the first of which may compile kernels or fill a
// cache; members that died are found out by their silence much sooner.
constexpr double kTimeout = 300.0;

class AllReduce final : public StepAlgorithm {
 public:
  std::string_view name() const override { return "allreduce"; }
  void after_update(StepContext& context, std::uint64_t) override { context.average(kTimeout); }
};

class LocalSgd final : public StepAlgorithm {
 public:
  std::string_view name() const override { return "local-sgd"; }
  void after_update(StepContext& context, std::uint64_t step) override {
    // By the step's number alone, so that everyone averages after the same steps.
    if (averages(context.rate(), step + 1) > averages(context.rate(), step)) context.average(kTimeout);
  }

 private:
  // Due after so many steps. A thousand times 1/1000 is not quite one; what is missing is rounding.
  static double averages(double rate, std::uint64_t steps) {
    return std::floor(std::min(rate, 1.0) * static_cast<double>(steps) + 1e-9);
  }
};

class DPsgd final : public StepAlgorithm {
 public:
  std::string_view name() const override { return "dpsgd"; }
  void after_update(StepContext& context, std::uint64_t) override { context.gossip(kTimeout); }
};

constexpr std::string_view kKnown =
    "a2cid2 and adpsgd (meetings in the background), allreduce and dpsgd (every step waits), local-sgd (one "
    "step in 1/rate waits)";

[[noreturn]] void throw_unknown(std::string_view name, std::string_view wanted) {
  throw ConfigurationError("algorithm \"" + std::string(name) + "\" " + std::string(wanted) +
                           "; there are: " + std::string(kKnown));
}

}  // namespace

std::unique_ptr<MeetingAlgorithm> make_meeting_algorithm(std::string_view name, const Constants& constants) {
  if (name == "a2cid2") return std::make_unique<A2Cid2>(constants);
  if (name == "adpsgd") return std::make_unique<AdPsgd>();
  throw_unknown(name, "is not one that works by meetings");
}

std::unique_ptr<StepAlgorithm> make_step_algorithm(std::string_view name) {
  if (name == "allreduce") return std::make_unique<AllReduce>();
  if (name == "local-sgd") return std::make_unique<LocalSgd>();
  if (name == "dpsgd") return std::make_unique<DPsgd>();
  throw_unknown(name, "is not one that averages in every step");
}

AlgorithmKind algorithm_kind(std::string_view name) {
  if (name == "a2cid2" || name == "adpsgd") return AlgorithmKind::kMeeting;
  if (name == "allreduce" || name == "local-sgd" || name == "dpsgd") return AlgorithmKind::kStep;
  throw_unknown(name, "does not exist");
}

}  // namespace duet
