#!/usr/bin/env python3
"""The totals of tests/run: what counts as passed, failed and tried again."""

import unittest

from totals import read_stage, totals

JUNIT = """<?xml version="1.0"?>
<testsuite name="x" tests="{tests}" failures="{failures}" skipped="1" disabled="0">
  <testcase name="Good"><system-out>fine</system-out></testcase>
  <testcase name="All/Flaky.x/0"><system-out></system-out></testcase>
  <testcase name="Away"><skipped message="SKIP_RETURN_CODE=77"/><system-out>skipped: no such tool</system-out></testcase>
  {more}
</testsuite>
"""
FLAKY_LOG = """
1/3 Test #1: Good .............................   Passed    0.01 sec
2/3 Test #3: Away .............................***Skipped   0.00 sec
3/3 Test #2: All/Flaky.x/0  # GetParam() = ("a", 3) ...***{how}   0.09 sec
{output}

    Start 2: Flaky
    Test #2: All/Flaky.x/0  # GetParam() = ("a", 3) ...   Passed    0.01 sec
"""


def junit(failures=0, more=""):
    return JUNIT.format(tests=3 + failures, failures=failures, more=more)


class Totals(unittest.TestCase):
    def test_counts_and_the_last_line(self):
        bad = '<testcase name="Bad"><failure message=""/></testcase>'
        lines, code = totals([read_stage("release", junit(), ""), read_stage("tsan", junit(1, bad), "")])
        self.assertEqual(lines[-1], "4 passed, 1 failed, 2 skipped")
        self.assertEqual(code, 1)
        self.assertIn("    FAILED Bad", lines)
        self.assertIn("    skipped Away: skipped: no such tool", lines)

    def test_a_reason_of_googletest_follows_the_place(self):
        gtest = '<testcase name="G"><skipped message=""/><system-out>a/b.cc:9: Skipped\nneeds tickets\n[  SKIPPED ] G</system-out></testcase>'
        lines, _ = totals([read_stage("release", junit(more=gtest), "")])
        self.assertIn("    skipped G: needs tickets", lines)

    def test_second_tries_are_named(self):
        for how in ("Failed ", "Timeout", "Exception: SegFault"):
            with self.subTest(how):
                lines, code = totals([read_stage("release", junit(), FLAKY_LOG.format(how=how, output="EXPECT_EQ: 1 and 2"))])
                self.assertEqual(code, 0)
                self.assertIn("    passed at the second try only: All/Flaky.x/0  # GetParam() = (\"a\", 3)", lines)
                self.assertEqual(lines[-2:], ["1 needed a second try: a test that does so twice is a bug", "2 passed, 0 failed, 1 skipped"])

    def test_a_report_of_a_sanitizer_fails_whatever_the_second_try_said(self):
        for report in (
            "WARNING: ThreadSanitizer: data race (pid=12)",
            "==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
            "==12==ERROR: LeakSanitizer: detected memory leaks",
            "/a/b.cc:12:3: runtime error: signed integer overflow",
        ):
            with self.subTest(report):
                lines, code = totals([read_stage("tsan", junit(), FLAKY_LOG.format(how="Failed ", output=report))])
                self.assertEqual(code, 1)
                self.assertEqual(lines[-1], "1 passed, 1 failed, 1 skipped")

    def test_nothing_run_is_a_failure(self):
        self.assertEqual(totals([]), (["0 passed, 0 failed, 0 skipped"], 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
