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

TEST(Selection, SettingsNeedAName) {
  Wanted wanted;
  wanted.transport = "auto";
  wanted.settings = "interface=eth0";
  EXPECT_THROW(open_contexts(wanted), ConfigurationError);
}

}  // namespace
}  // namespace duet::transport
