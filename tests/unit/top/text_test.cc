#include "text.h"

#include <gtest/gtest.h>

#include <limits>

namespace duet::top {
namespace {

TEST(Text, NothingFromTheNetworkReachesTheTerminalAsItIs) {
  EXPECT_EQ(harmless("node-1.cluster"), "node-1.cluster");
  EXPECT_EQ(harmless("\x1b]0;owned\x07"), "?]0;owned?");
  EXPECT_EQ(harmless("a\nb\tc\r"), "a?b?c?");
  EXPECT_EQ(harmless("nöde→"), "n?de?");
  EXPECT_EQ(harmless(std::string_view("a\0b", 3)), "a?b");
}

TEST(Text, FitsExactly) {
  EXPECT_EQ(fit("abc", 5), "abc  ");
  EXPECT_EQ(fit("abc", 5, true), "  abc");
  EXPECT_EQ(fit("abcdef", 4), "abc~");
  EXPECT_EQ(fit("abc", 0), "");
}

TEST(Text, NumbersHaveThreeDigits) {
  EXPECT_EQ(number(std::nullopt), "-");
  EXPECT_EQ(number(0.0), "0");
  EXPECT_EQ(number(0.123456), "0.123");
  EXPECT_EQ(number(12.3456), "12.3");
  EXPECT_EQ(number(1e-7), "1.0e-07");
  EXPECT_EQ(number(1.5e7), "1.5e+07");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(Text, CountsAndBytesHaveSuffixes) {
  EXPECT_EQ(count(0), "0");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(count(1000), "1.00k");
  EXPECT_EQ(count(12345), "12.3k");
  EXPECT_EQ(count(999999), "1.00M");
  EXPECT_EQ(count(18446744073709551615ULL), "18447P");
  EXPECT_EQ(bytes(512.0), "512");
  EXPECT_EQ(bytes(1536.0), "1.50K");
  EXPECT_EQ(bytes(2.5 * 1024 * 1024), "2.50M");
  EXPECT_EQ(bytes(std::nullopt), "-");
}

TEST(Text, AgesGrowCoarser) {
  EXPECT_EQ(age(0.04), "0.0s");
  EXPECT_EQ(age(9.9), "9.9s");
  EXPECT_EQ(age(42.0), "42s");
  EXPECT_EQ(age(600.0), "10m");
  EXPECT_EQ(age(36000.0), "10h");
  EXPECT_EQ(age(864000.0), "10d");
  EXPECT_EQ(age(-5.0), "0.0s");
  EXPECT_EQ(age(std::nullopt), "-");
}

TEST(Text, AnyTimeCanBeShown) {
  EXPECT_EQ(clock(1.7e9).size(), 8u);
  for (const double odd : {-1.0, 1e300, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_EQ(clock(odd), "--:--:--");
}

}  // namespace
}  // namespace duet::top
