#!/usr/bin/env python3
"""The contract suite against transports that break one promise each: duet-plugin-check says which one, and where."""

import concurrent.futures
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402

PLUGINS = pathlib.Path(os.environ["DUET_BROKEN_PLUGINS"])
CHECK = harness.BIN / "duet-plugin-check"

# What is broken: (the check that notices, the sentence that it names, a word of what it saw).
BROKEN = {
    "forgets_completions": ("Ends.ClosingAPendingConnectionIsPossible", "END-1", ""),
    "completes_twice": ("Messages.EmptyOnesNeedNoMemory", "OP-4", "completed again"),
    "late_operations": ("Deadlines.OfReceivesThatNobodyServes", "TIME-1", "nanoseconds late"),
    "late_connections": ("Deadlines.OfConnectionsThatNobodyAnswers", "TIME-2", "nanoseconds late"),
    "nameless": ("Connections.ToAContextThatIsGoneFailAndNameThePeer", "ERR-1", "rank 9"),
    "any_setting": ("Leftovers.NoneOfAnUnknownSetting", "PROBE-3", ""),
    "spins": ("Waiting.PollSleepsInsteadOfSpinning", "POLL-1", "processor time"),
    "leaks": ("Leftovers.NoneOfManyConnections", "CONN-7", "bytes of memory"),
    "writes_afterwards": ("Deadlines.GiveTheBufferBackForGood", "OP-3", "written after its completion"),
    "cuts": ("Messages.OfEverySizeArriveUnaltered", "OP-7", ""),
    "refuses_empty": ("Messages.EmptyOnesNeedNoMemory", "OP-4", "post_send"),
    "crashes": ("Cancel.OneOfManyLeavesTheOthersInFlight", "CANCEL-1", "crashed (signal 6"),
    "closes_slowly": ("Ends.ClosingAPendingConnectionIsPossible", "END-1", "may take a second"),
    "arms_too_long": ("Waiting.ArmLowersTheTimeoutToTheNextDeadline", "WAIT-2", ""),
    "descriptor_never_quiet": ("Waiting.AQuietDescriptorStaysQuiet", "WAIT-3", "wake-ups"),
    "ids_once_only": ("Messages.ReuseTheIdsOfOperationsThatHaveEnded", "OP-9", ""),
    "leaks_in_probe": ("Leftovers.NoneOfAProbe", "PROBE-2", "open after"),
    "mixes_sessions": ("Connections.OfDifferentSessionsAreNotJoined", "CONN-4", ""),
    "overfills": ("Waiting.PollHandsOutCompletionsAsThereIsRoomForThem", "POLL-3", ""),
}


class SuiteNotices(unittest.TestCase):
    def check(self, plugin, *arguments, timeout=120):
        return harness.run(CHECK, plugin, *arguments, timeout=timeout)

    def test_each_broken_promise(self):
        self.assertEqual({path.stem for path in PLUGINS.glob("*.so")} - set(BROKEN), {"takes_any_major", "whole"})
        # Most of the time is waiting.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            runs = {variant: pool.submit(self.check, PLUGINS / f"{variant}.so", "--filter", check)
                    for variant, (check, _, _) in BROKEN.items()}
        for variant, (check, rule, saw) in BROKEN.items():
            with self.subTest(variant):
                done = runs[variant].result()
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(f"  BROKEN    {check.split('.')[1]}", done.stdout)
                self.assertIn(f"{rule}: ", done.stdout)
                self.assertIn(saw, done.stdout)
                self.assertIn("1 broken", done.stdout)

    def test_without_a_broken_promise(self):
        done = self.check(PLUGINS / "whole.so")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(" 0 broken", done.stdout)

    def test_a_crash_in_one_check_is_not_the_end_of_the_others(self):
        done = self.check(PLUGINS / "crashes.so", "--filter", "Cancel.*")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("6 broken", done.stdout)
        done = self.check(PLUGINS / "crashes.so", "--filter", "Connections.Come*")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_check_that_hangs_is_given_up(self):
        done = self.check(PLUGINS / "closes_slowly.so", "--filter", "Ends.ClosingAPending*", "--patience", 2)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("did not come back within 2000 ms", done.stdout)

    def test_a_wrong_entry_point_ends_the_check(self):
        done = self.check(PLUGINS / "takes_any_major.so")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("LOAD-5: ", done.stdout)
        self.assertIn("host of version 2.0", done.stdout)
        self.assertIn("the rest was not checked", done.stderr)

    def test_settings_reach_the_plugin(self):
        good = PLUGINS / "whole.so"
        done = self.check(good, "--setting", "socket_buffer=8192", "--filter", "Messages.Arrive*")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = self.check(good, "--setting", "socket_buffer=huge")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("socket_buffer", done.stdout + done.stderr)

    def test_usage(self):
        for arguments, words in (
            ([], "which plugin"),
            (["/no/such/plugin.so"], "/no/such/plugin.so"),
            (["--frobnicate"], "frobnicate"),
            ([PLUGINS / "whole.so", "--filter", "Nothing.*"], "Nothing.*"),
            ([PLUGINS / "whole.so", "--setting", "half"], "half"),
            ([PLUGINS / "whole.so", "--memory", "cuda"], "no kind of memory"),
            ([PLUGINS / "whole.so", "--devices", "0"], "--devices"),
        ):
            done = harness.run(CHECK, *arguments)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn(words, done.stderr)
            self.assertTrue(done.stderr.startswith("duet-plugin-check: "), done.stderr)
        listed = harness.run(CHECK, "--list", "--filter", "Deadlines.*")
        self.assertEqual(listed.returncode, 0)
        self.assertIn("Deadlines.OfReceivesThatNobodyServes\n", listed.stdout)
        self.assertNotIn("Ends.", listed.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
