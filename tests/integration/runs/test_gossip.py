#!/usr/bin/env python3
"""Pure gossip with 16 real processes on a ring: few meetings suffice, and every edge is used.

Memoryless theory needs 158 (baseline) and 61 (A2CiD2) meetings per worker for a reduction by 10^6.
"""

import statistics
import unittest

import harness


class Gossip(unittest.TestCase):
    def check(self, algorithm, bound, *arguments):
        seeds = range(1, harness.count(2, 5) + 1)
        runs = [harness.gossip(16, "--algorithm", algorithm, "--graph", "ring", "--seed", seed, *arguments) for seed in seeds]
        meetings = [run["meetings_per_worker"] for run in runs]
        print(f"{algorithm} {' '.join(arguments)}: {meetings} meetings per worker", flush=True)
        self.assertNotIn(None, meetings, "the workers never agreed")
        self.assertLessEqual(statistics.mean(meetings), bound)
        for run in runs:
            uses = [edge["meetings"] for edge in run["edges"]]
            self.assertGreaterEqual(min(uses), 0.5 * statistics.mean(uses), f"an edge was neglected: {uses}")

    def test_baseline(self):
        self.check("adpsgd", 120)

    def test_a2cid2(self):
        self.check("a2cid2", 55)

    def test_baseline_when_the_transport_is_the_bottleneck(self):
        self.check("adpsgd", 120, "--faults", "delay=0.01")

    def test_a2cid2_when_the_transport_is_the_bottleneck(self):
        self.check("a2cid2", 55, "--faults", "delay=0.01")

    def test_first_come_first_served_shows_what_holdoff_is_for(self):
        run = harness.gossip(16, "--algorithm", "adpsgd", "--pairing", "fifo", "--faults", "delay=0.01", "--max-meetings", 600)
        uses = [edge["meetings"] for edge in run["edges"]]
        print(f"fifo: {run['meetings_per_worker']} meetings per worker, edges used {min(uses)} to {max(uses)} times", flush=True)
        held = harness.gossip(16, "--algorithm", "adpsgd", "--pairing", "holdoff", "--faults", "delay=0.01")
        if run["meetings_per_worker"] is not None:
            self.assertGreater(run["meetings_per_worker"], held["meetings_per_worker"])

    def test_threads_of_one_process(self):
        done = harness.run(harness.BIN / "duet-gossip", "--workers", 8, "--graph", "ring", "--elements", 5000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"meetings_per_worker"', done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
