#!/usr/bin/env python3
"""The digits with the defaults, 16 processes on a ring: accuracy, and A2CiD2's consensus distance beside the baseline's."""

import json
import pathlib
import statistics
import tempfile
import unittest

import harness

ALGORITHMS = ("a2cid2", "adpsgd")
RUNS = harness.count(2, 3)
# What A2CiD2 promises here is 0.85. Two runs on a busy machine leave an uncertainty of more than a tenth, which a test of every
# change must not trip over: it asks whether there is a gain at all.
BOUND = 0.85 if harness.FULL else 1.0
DATA = harness.SOURCE / "samples" / "data"


def second_half(report):
    trace = report["trace"]
    middle = trace[-1]["steps"] / 2
    values = [point["consensus_distance"] for point in trace if point["steps"] >= middle]
    return sum(values) / len(values)


class Digits(unittest.TestCase):
    figures = {"runs": []}

    @classmethod
    def tearDownClass(cls):
        harness.write_figures("digits", **cls.figures)

    def report(self, start):
        """start(path) runs the training with its report there."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            done = start(path)
            self.assertEqual(done.returncode, 0, done.stderr[-3000:])
            return json.loads(path.read_text())

    def train(self, algorithm, seed, *arguments):
        return self.report(
            lambda path: harness.run_workers(
                16, "duet-train", "--dataset", "digits", "--data", DATA, "--graph", "ring", "--algorithm", algorithm,
                "--seed", seed, "--report", path, *arguments, timeout=400,
            )
        )

    def compare(self, schedule, seed, *arguments):
        """Both algorithms with one seed, in turns: (ratio of their consensus distances, reports).

        One run's distance is that of a few seconds in which the machine's scheduler has its say, too, and varies by a third.
        So each side's is the mean of several runs.
        """
        reports = {algorithm: [] for algorithm in ALGORITHMS}
        for _ in range(RUNS):
            for algorithm in ALGORITHMS:
                reports[algorithm].append(self.train(algorithm, seed, *arguments))
        figures = {
            algorithm: {
                "consensus_distance": statistics.mean(map(second_half, runs)),
                "test_accuracy": min(run["final"]["test_accuracy"] for run in runs),
                "wall_seconds": statistics.mean(run["final"]["wall_seconds"] for run in runs),
            }
            for algorithm, runs in reports.items()
        }
        ratio = figures["a2cid2"]["consensus_distance"] / figures["adpsgd"]["consensus_distance"]
        self.figures["runs"].append({"schedule": schedule, "seed": seed, "ratio": ratio} | figures)
        each = ", ".join(f"{second_half(a) / second_half(b):.2f}" for a, b in zip(*reports.values(), strict=True))
        print(f"{schedule} learning rate, seed {seed}: ratio {ratio:.3f} (run by run {each}), {figures}", flush=True)
        return ratio, [run for runs in reports.values() for run in runs]

    def test_accuracy_and_consensus(self):
        for seed in range(1, harness.count(1, 3) + 1):
            ratio, reports = self.compare("default", seed)
            for report in reports:
                self.assertGreaterEqual(report["final"]["test_accuracy"], 0.97)
                self.assertEqual(report["final"]["members"], list(range(16)))
            self.assertLess(ratio, BOUND)

    @unittest.skipUnless(harness.FULL, "a figure beside the others: with the full counts only")
    def test_constant_learning_rate(self):
        for seed in range(1, 4):
            ratio, _ = self.compare("constant", seed, "--constant-lr")
            self.assertLess(ratio, 1.0)

    def test_one_process_alone(self):
        report = self.report(
            lambda path: harness.run(
                harness.BIN / "duet-train", "--dataset", "digits", "--data", DATA, "--seed", 1, "--report", path, timeout=400
            )
        )
        accuracy = report["final"]["test_accuracy"]
        self.figures["alone"] = {"test_accuracy": accuracy, "wall_seconds": report["final"]["wall_seconds"]}
        print(f"one process alone: {100 * accuracy:.2f} %, {report['final']['wall_seconds']:.0f} s", flush=True)
        self.assertGreaterEqual(accuracy, 0.98)


if __name__ == "__main__":
    unittest.main(verbosity=2)
