#!/usr/bin/env python3
"""Pure gossip with 16 real processes on a ring: few meetings suffice, and every edge is used.

Memoryless theory needs 158 (baseline) and 61 (A2CiD2) meetings per worker for a reduction by 10^6.
"""

import json
import statistics
import unittest

import harness

BOUNDS = {"adpsgd": 120, "a2cid2": 55}
DELAY = 0.01  # seconds that a slow transport holds up each block; a model of 100,000 is one block
WORKERS = 16


class Gossip(unittest.TestCase):
    figures = []

    @classmethod
    def tearDownClass(cls):
        harness.write_figures("gossip", runs=cls.figures)

    def runs(self, algorithm, pairing="holdoff", delay=0.0, bound=None, *arguments):
        """One run a seed; what came of them goes on the page, too."""
        if delay > 0.0:
            arguments += ("--faults", f"delay={delay}")
        runs = [
            harness.gossip(
                WORKERS, "--algorithm", algorithm, "--graph", "ring", "--pairing", pairing, "--seed", seed, *arguments
            )
            for seed in range(1, harness.count(2, 5) + 1)
        ]
        for run in runs:
            uses = [edge["meetings"] for edge in run["edges"]]
            run["least_use"] = min(uses) / statistics.mean(uses)
            # null: never; then nothing is known of how long a meeting took.
            run["seconds_per_meeting"] = run["seconds"] / run["meetings_per_worker"] if run["seconds"] else None
        figures = {key: [run[key] for run in runs] for key in ("meetings_per_worker", "seconds_per_meeting", "least_use")}
        self.figures.append({"algorithm": algorithm, "pairing": pairing, "delay": delay, "bound": bound} | figures)
        print(f"{algorithm} {pairing} delay {delay}: {figures}", flush=True)
        return runs

    def check(self, algorithm, delay):
        bound = BOUNDS[algorithm]
        for run in self.runs(algorithm, delay=delay, bound=bound):
            self.assertIsNotNone(run["meetings_per_worker"], f"seed {run['seed']}: the workers never agreed")
            self.assertLessEqual(run["meetings_per_worker"], bound, f"seed {run['seed']}")
            self.assertGreaterEqual(run["least_use"], 0.5, f"seed {run['seed']}: an edge was neglected: {run['edges']}")
            # A worker holds one meeting at a time, so with a delay its meetings cannot follow each other faster:
            # the transport is the bottleneck.
            self.assertGreaterEqual(run["seconds_per_meeting"], delay)

    def test_baseline(self):
        self.check("adpsgd", 0.0)

    def test_a2cid2(self):
        self.check("a2cid2", 0.0)

    def test_baseline_when_the_transport_is_the_bottleneck(self):
        self.check("adpsgd", DELAY)

    def test_a2cid2_when_the_transport_is_the_bottleneck(self):
        self.check("a2cid2", DELAY)

    def test_first_come_first_served_shows_what_holdoff_is_for(self):
        held = self.runs("adpsgd", delay=DELAY)
        fifo = self.runs("adpsgd", "fifo", DELAY, None, "--max-meetings", 600)
        for with_holdoff, without in zip(held, fifo):
            self.assertIsNotNone(with_holdoff["meetings_per_worker"])
            if without["meetings_per_worker"] is not None:
                self.assertGreaterEqual(without["meetings_per_worker"], 1.5 * with_holdoff["meetings_per_worker"])

    def test_threads_of_one_process(self):
        done = harness.run(harness.BIN / "duet-gossip", "--workers", 8, "--graph", "ring", "--elements", 5000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"meetings_per_worker"', done.stdout)

    def test_giving_up_is_said(self):
        done = harness.run(
            harness.BIN / "duet-gossip", "--workers", 8, "--elements", 1000, "--max-meetings", 2, "--report", "/dev/stderr"
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("not reached in 2 meetings per worker"), 1, done.stderr)
        self.assertIn("Raise --max-meetings", done.stderr)
        self.assertIsNone(json.loads(done.stdout)["meetings_per_worker"])
        self.assertIn(done.stdout.strip(), done.stderr)  # the report is written to the pipe

    def test_long_logs_are_handed_in_in_parts(self):
        # Never reached with so few digits in a float: all 5,000 meetings of 4 KiB are handed in, 20 MiB a worker.
        run = harness.gossip(2, "--elements", 10, "--reduction", 1e30, "--max-meetings", 5000)
        self.assertIsNone(run["meetings_per_worker"])
        self.assertGreaterEqual(run["edges"][0]["meetings"], 4990)


if __name__ == "__main__":
    unittest.main(verbosity=2)
