#!/usr/bin/env python3
"""A topology policy of one's own, in real processes: rank 5 leaves, and its neighbours in the ring meet each other."""

import re
import unittest

import harness


class Racks(unittest.TestCase):
    def test_the_ring_closes_over_the_gap(self):
        done = harness.run_workers(8, "duet-racks", 2000)
        self.assertEqual(done.returncode, 3, done.stderr[-3000:])  # 5 is not in the average: "finished, but not all"
        self.assertIn("2 racks, 9 edges", done.stdout)
        met = {int(rank): dict(re.findall(r"(\d+):(\d+)", peers)) for rank, peers in re.findall(r"rank (\d) met(.*)", done.stdout)}
        self.assertEqual(sorted(met), [0, 1, 2, 3, 4, 6, 7])
        self.assertIn("6", met[4], "4 and 6 are neighbours only since 5 left")
        self.assertIn("4", met[0], "the racks are linked")
        self.assertNotIn("6", met[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
