#!/usr/bin/env python3
"""The digits with the defaults, 16 processes on a ring: accuracy, and A2CiD2's consensus distance beside the baseline's."""

import json
import pathlib
import tempfile
import unittest

import harness


def second_half(report):
    trace = report["trace"]
    middle = trace[-1]["steps"] / 2
    values = [point["consensus_distance"] for point in trace if point["steps"] >= middle]
    return sum(values) / len(values)


class Digits(unittest.TestCase):
    def train(self, algorithm, seed, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            done = harness.run_workers(
                16, "duet-train", "--dataset", "digits", "--data", harness.SOURCE / "samples" / "data", "--graph", "ring",
                "--algorithm", algorithm, "--seed", seed, "--report", path, *arguments, timeout=400,
            )
            self.assertEqual(done.returncode, 0, done.stderr[-3000:])
            return json.loads(path.read_text())

    def test_accuracy_and_consensus(self):
        for seed in range(1, harness.count(1, 3) + 1):
            reports = {algorithm: self.train(algorithm, seed) for algorithm in ("a2cid2", "adpsgd")}
            for algorithm, report in reports.items():
                print(
                    f"seed {seed} {algorithm}: {100 * report['final']['test_accuracy']:.2f} %, "
                    f"consensus distance {second_half(report):.4f}, {report['final']['wall_seconds']:.0f} s",
                    flush=True,
                )
                self.assertGreaterEqual(report["final"]["test_accuracy"], 0.97)
                self.assertEqual(report["final"]["members"], list(range(16)))
            ratio = second_half(reports["a2cid2"]) / second_half(reports["adpsgd"])
            print(f"seed {seed}: ratio {ratio:.3f}", flush=True)
            self.assertLess(ratio, 0.85)

    @unittest.skipUnless(harness.FULL, "a figure beside the others: with the full counts only")
    def test_constant_learning_rate(self):
        reports = {a: self.train(a, 1, "--constant-lr") for a in ("a2cid2", "adpsgd")}
        ratio = second_half(reports["a2cid2"]) / second_half(reports["adpsgd"])
        print(f"constant learning rate: ratio {ratio:.3f}", flush=True)
        self.assertLess(ratio, 1.0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
