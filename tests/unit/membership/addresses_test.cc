#include "membership/addresses.h"

#include <gtest/gtest.h>

namespace duet::membership {
namespace {

TEST(AddressBook, TheOwnersLastWordStands) {
  AddressBook mine(3, 0), others(3, 1);
  EXPECT_TRUE(mine.known().empty());
  EXPECT_TRUE(mine.set_mine("127.0.0.1:29700"));
  EXPECT_FALSE(mine.set_mine("127.0.0.1:29700")) << "nothing to tell";
  const auto first = mine.known();
  mine.set_mine("");
  const auto second = mine.known();
  others.merge(second);
  others.merge(first);
  EXPECT_EQ(others.of(0), "") << "whatever the order in which it is heard";
  mine.set_mine("127.0.0.1:41234");
  others.merge(mine.known());
  EXPECT_EQ(others.of(0), "127.0.0.1:41234");
}

TEST(AddressBook, NobodyElseChangesOnesOwn) {
  AddressBook book(2, 0);
  book.set_mine("here");
  book.merge({{0, 99, "elsewhere"}});
  EXPECT_EQ(book.of(0), "here");
}

TEST(AddressBook, WhatIsOutOfRangeIsIgnored) {
  AddressBook book(2, 0);
  book.merge({{-1, 1, "x"}, {2, 1, "x"}});
  EXPECT_TRUE(book.known().empty());
  EXPECT_FALSE(book.set_mine(std::string(kLargestServiceAddress + 1, 'x')));
  EXPECT_EQ(book.of(0), "");
}

TEST(AddressBook, PassesOnWhatItHeard) {
  AddressBook a(3, 0), b(3, 1), c(3, 2);
  a.set_mine("a");
  b.merge(a.known());
  b.set_mine("b");
  c.merge(b.known());
  EXPECT_EQ(c.of(0), "a");
  EXPECT_EQ(c.of(1), "b");
  EXPECT_EQ(c.known().size(), 2u);
}

}  // namespace
}  // namespace duet::membership
