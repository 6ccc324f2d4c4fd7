#pragma once

#include <cstdint>
#include <random>

namespace duet::pairing {

using Random = std::mt19937_64;

/// How many meetings a worker may still begin: λ_i more per own step, drawn from Poisson(λ_i) or exactly.
/// Capped at max(3, ⌈3λ_i⌉): the trainer does not wait for meetings that fall behind, so the surplus is shed,
/// and counted.
class Budget {
 public:
  Budget(double rate, bool deterministic, bool unlimited);

  void on_step(Random& random);
  bool has_one() const;  ///< a whole meeting
  void spend();
  void set_rate(double rate);  ///< caps what is there anew
  void close();                ///< none now, and no more

  double value() const;  ///< infinity when unlimited
  double cap() const { return cap_; }
  std::uint64_t shed() const;

 private:
  void shed_surplus();

  double rate_ = 0.0;
  double cap_ = 0.0;
  bool deterministic_;
  bool unlimited_;
  bool closed_ = false;
  double value_ = 0.0;
  double shed_ = 0.0;
};

}  // namespace duet::pairing
