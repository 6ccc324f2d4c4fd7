#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "duet/error.h"
#include "transport/selection.h"

namespace duet::transport {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Selection, WhatReachesOtherMachinesComesFirst) {
  const Standing local{"alpha", DUET_CAPABILITY_HOST_MEMORY};
  const Standing remote{"zeta", DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_REMOTE};
  const Standing other{"beta", DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_REMOTE};
  EXPECT_TRUE(stands_before(remote, local));
  EXPECT_FALSE(stands_before(local, remote));
  EXPECT_TRUE(stands_before(other, remote));
  EXPECT_FALSE(stands_before(remote, remote));
}

TEST(Selection, ANameOpensThatOneAlone) {
  Wanted wanted;
  wanted.transport = "inproc";
  const auto contexts = open_contexts(wanted);
  ASSERT_EQ(contexts.size(), 1U);
  EXPECT_EQ(contexts[0]->transport_name(), "inproc");
}

TEST(Selection, AutoTakesTheInProcessOneForThreadsOfOneProcess) {
  Wanted wanted;
  wanted.transport = "auto";
  wanted.own_process = true;
  bool found = false;
  for (const auto& context : open_contexts(wanted))
    found |= context->transport_name() == "inproc";
  EXPECT_TRUE(found);
}

TEST(Selection, AutoNeverTakesTheInProcessOneBetweenProcesses) {
  Wanted wanted;
  wanted.transport = "auto";
  try {
    for (const auto& context : open_contexts(wanted))
      EXPECT_NE(context->transport_name(), "inproc");
  } catch (const TransportError& error) {
    // Where nothing else was built, the report says what was left out and why.
    EXPECT_THAT(error.what(), AllOf(HasSubstr("none can be used"), HasSubstr("reaches this process only")));
  }
}

TEST(Selection, AutoLeavesOutWhatMovesNoHostMemory) {
  Wanted wanted;
  wanted.transport = "auto";
  wanted.own_process = true;  // so there is another
  wanted.plugin_path = {DUET_TEST_PLUGINS "/device-only"};
  for (const auto& context : open_contexts(wanted))
    EXPECT_NE(context->transport_name(), "tiny");
  wanted.own_process = false;
  try {
    for (const auto& context : open_contexts(wanted))
      EXPECT_NE(context->transport_name(), "tiny");
  } catch (const TransportError& error) {
    EXPECT_THAT(error.what(), HasSubstr("moves no host memory, and this worker's parameters are there"));
  }
}

TEST(Selection, WhatMovesNoHostMemoryIsRefusedByName) {
  Wanted wanted;
  wanted.transport = "tiny";
  wanted.plugin_path = {DUET_TEST_PLUGINS "/device-only"};
  try {
    open_contexts(wanted);
    FAIL() << "it was opened";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("moves CUDA memory only"), HasSubstr("choose another transport")));
  }
}

TEST(Selection, SettingsNeedAName) {
  Wanted wanted;
  wanted.transport = "auto";
  wanted.settings = "interface=eth0";
  EXPECT_THROW(open_contexts(wanted), ConfigurationError);
}

}  // namespace
}  // namespace duet::transport
