#pragma once

#include <gtest/gtest.h>

#include <string>

#include "dynamics/passes.h"

namespace duet::dynamics {

/// A suite whose tests run once on every SIMD target of this processor.
class OnEveryTarget : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { force_simd_target(GetParam()); }
  void TearDown() override { force_simd_target(""); }
};

inline std::string target_name(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace duet::dynamics
