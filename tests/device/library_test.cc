// How the library that drives CUDA devices is found, and what is said where there is none, or no driver.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "device/rig.h"
#include "duet/error.h"

namespace duet::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string loading_says(const std::vector<std::string>& paths) {
  try {
    device::load_library(paths);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "loaded";
}

TEST(DeviceLibrary, IsMissedWithEveryPlaceThatWasLookedAt) {
  EXPECT_THAT(loading_says({"/nowhere/libduet_cuda.so", "/nor/here.so", "relative/libduet_cuda.so"}),
              AllOf(HasSubstr("/nowhere/libduet_cuda.so: no such file"), HasSubstr("/nor/here.so"),
                    HasSubstr("not an absolute path"), HasSubstr("DUET_CUDA")));
}

TEST(DeviceLibrary, IsTheFirstFileThatIsThereAndNoOther) {
  const auto path = std::filesystem::temp_directory_path() / "duet_no_library.so";
  std::ofstream(path) << "not a library";
  EXPECT_THAT(loading_says({path.string(), "/nor/here.so"}),
              AllOf(HasSubstr(path.string()), ::testing::Not(HasSubstr("here.so"))));
  std::filesystem::remove(path);
}

#ifdef DUET_TEST_CUDA_LIBRARY
/// The real library on a machine without a driver, or a device: an answer, not a crash.
TEST(DeviceLibrary, LoadsWithoutADriverAndSaysSo) {
  device::Backend* const backend = device::load_library({DUET_TEST_CUDA_LIBRARY});
  ASSERT_NE(backend, nullptr);
  int devices = -1;
  if (backend->count(&devices) && devices > 0) GTEST_SKIP() << "there is a CUDA device here";
  if (devices != 0) GTEST_FAIL() << devices;
  float host = 0.0F;
  EXPECT_EQ(backend->owner(&host), -1);
  void* memory = nullptr;
  EXPECT_FALSE(backend->allocate(0, 100, &memory));
  EXPECT_STRNE(backend->failure(), "");
}

TEST(DeviceLibrary, IsRefusedWhenItIsOfAnotherBuild) {
  void* const handle = dlopen(DUET_TEST_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr);
  const auto entry = reinterpret_cast<device::BackendFunction>(dlsym(handle, device::kBackendSymbol));
  ASSERT_NE(entry, nullptr);
  char reason[200] = "";
  EXPECT_EQ(entry(device::kInterfaceVersion + 1, reason, sizeof reason), nullptr);
  EXPECT_THAT(reason, HasSubstr("one build"));
}
#endif

}  // namespace
}  // namespace duet::test
