#include <unistd.h>

#include "nccl_fixture.h"

namespace duet::nccl {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Probe : public NcclFixture {
 protected:
  duet_probe_result probe(const transport::Settings& settings) {
    std::vector<duet_setting> c_settings;
    for (const auto& [key, value] : settings)
      c_settings.push_back({key.c_str(), value.c_str()});
    duet_probe_result result{};
    result.struct_size = sizeof result;
    EXPECT_EQ(table().probe(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &result),
              DUET_OK)
        << result.reason;
    return result;
  }
  /// And open_context() says the same.
  std::string not_viable(const transport::Settings& settings) {
    const duet_probe_result result = probe(settings);
    EXPECT_EQ(result.viable, 0);
    std::vector<duet_setting> c_settings;
    for (const auto& [key, value] : settings)
      c_settings.push_back({key.c_str(), value.c_str()});
    duet_context* context = nullptr;
    duet_error error{};
    EXPECT_EQ(table().open_context(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &context,
                                   &error),
              DUET_NOT_SUPPORTED);
    EXPECT_EQ(std::string(error.text), std::string(result.reason));
    return result.reason;
  }
};

TEST_F(Probe, SaysWhatWouldBeUsed) {
  const duet_probe_result result = probe(settings_on(3));
  EXPECT_EQ(result.viable, 1);
  EXPECT_EQ(result.capabilities,
            DUET_CAPABILITY_CUDA_MEMORY | DUET_CAPABILITY_EXACT_SIZE | DUET_CAPABILITY_INTEGRITY);
  EXPECT_EQ(result.largest_message, 1ull << 32);
  EXPECT_THAT(std::string(result.reason), HasSubstr("NCCL 2.28.9 on CUDA device 3 (Fake GPU 3)"));
  EXPECT_THAT(std::string(result.reason), HasSubstr("lo"));
}

TEST_F(Probe, AnswersForItsDataUnlessItIsToldNotTo) {
  const auto claims = [&](const char* value) {
    return (probe(settings_on(3, {{"integrity", value}})).capabilities & DUET_CAPABILITY_INTEGRITY) != 0;
  };
  EXPECT_TRUE(claims("yes"));
  EXPECT_FALSE(claims("no"));
}

TEST_F(Probe, IsNotViableWithoutACudaDevice) {
  EXPECT_THAT(not_viable({{"cuda_library", "/no/such/libcuda.so.1"}}), StartsWith("no CUDA device: "));
  // Another name for the same file: a library that was found usable stays so for the life of the process.
  const std::string copy = std::string(DUET_FAKE_NCCL) + ".link";
  ::unlink(copy.c_str());
  ASSERT_EQ(::symlink(DUET_FAKE_NCCL, copy.c_str()), 0);
  fake_nccl_set("driver", "none");
  EXPECT_THAT(not_viable({{"cuda_library", copy}}), HasSubstr("CUDA_ERROR_NO_DEVICE"));
  fake_nccl_set("driver", "ok");
  fake_nccl_set("devices", "0");
  EXPECT_THAT(not_viable({{"cuda_library", copy}}), HasSubstr("CUDA_VISIBLE_DEVICES"));
  ::unlink(copy.c_str());
}

TEST_F(Probe, IsNotViableOnAMachineWithoutAGpu) {
  const duet_probe_result result = probe({});
  if (result.viable != 0) GTEST_SKIP() << "this machine has a GPU and NCCL: " << result.reason;
  EXPECT_THAT(std::string(result.reason),
              ::testing::AnyOf(StartsWith("no CUDA device: "), HasSubstr("NCCL")));
}

TEST_F(Probe, IsNotViableWithADeviceThatIsNotThere) {
  EXPECT_THAT(not_viable(settings_on(64)), HasSubstr("CUDA device 64"));
}

TEST_F(Probe, IsNotViableWithoutNccl) {
  const transport::Settings settings{{"cuda_library", DUET_FAKE_NCCL}, {"library", "/no/such/libnccl.so.2"}};
  EXPECT_THAT(not_viable(settings), StartsWith("NCCL cannot be loaded: "));
}

TEST_F(Probe, IsNotViableWithAnNcclThatIsTooOld) {
  const std::string copy = std::string(DUET_FAKE_NCCL) + ".old";
  ::unlink(copy.c_str());
  ASSERT_EQ(::symlink(DUET_FAKE_NCCL, copy.c_str()), 0);
  const transport::Settings settings{{"cuda_library", DUET_FAKE_NCCL}, {"library", copy}};
  for (const auto& [code, text] : {std::pair{"21602", "2.16.2"}, std::pair{"2708", "code 2708"}}) {
    fake_nccl_set("version", code);
    EXPECT_THAT(not_viable(settings), ::testing::AllOf(HasSubstr(text), HasSubstr("2.18 or newer")));
  }
  ::unlink(copy.c_str());
}

TEST_F(Probe, LeavesNothingBehind) {
  probe(settings_on(0));
  EXPECT_EQ(fake_nccl_count("contexts"), 0);
  EXPECT_EQ(fake_nccl_count("unique_ids"), 0);
}

}  // namespace
}  // namespace duet::nccl
