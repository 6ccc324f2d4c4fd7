#!/usr/bin/env python3
"""SIGKILL of one of 8 training workers at a random moment: the other seven finish, and say whom they lost."""

import json
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration" / "runs"))
import harness  # noqa: E402

WORKERS = 8
EPOCHS = 250


class Kill(unittest.TestCase):
    def train(self, folder, victim=None, after=0.0):
        """One run; returns (seconds, exit code, report, log). victim: killed `after` seconds after the first step."""
        report = pathlib.Path(folder) / "report.json"
        report.unlink(missing_ok=True)
        path = pathlib.Path(folder) / "log"
        with open(path, "w", encoding="utf-8") as log:
            start = time.monotonic()
            launcher = harness.start_workers(
                WORKERS, "duet-train", "--dataset", "digits", "--data", harness.SOURCE / "samples" / "data", "--graph",
                "ring", "--epochs", EPOCHS, "--seed", 1, "--progress", "--report", report, log=log,
            )
            try:
                if victim is not None:
                    harness.wait_until(lambda: re.search(r"steps\D*[1-9]", path.read_text()), 60, "the first step")
                    process = harness.worker_process(launcher, victim)
                    time.sleep(after)
                    os.kill(process, signal.SIGKILL)
                code = launcher.wait(timeout=120)
            finally:
                if launcher.poll() is None:
                    os.killpg(launcher.pid, signal.SIGKILL)
                    launcher.wait()
            seconds = time.monotonic() - start
        text = path.read_text()
        self.assertTrue(report.exists(), f"no report (exit code {code})\n{text[-4000:]}")
        return seconds, code, json.loads(report.read_text()), text

    def test_the_other_seven_finish(self):
        with tempfile.TemporaryDirectory() as folder:
            usual, code, report, text = self.train(folder)
            self.assertEqual(code, 0, text[-2000:])
            self.assertEqual(report["final"]["members"], list(range(WORKERS)))
            training = report["final"]["wall_seconds"]
            print(f"without a death: {usual:.1f} s, {training:.1f} s of them training", flush=True)
            seed = int(os.environ.get("DUET_TEST_SEED", time.time()))
            print(f"DUET_TEST_SEED={seed}", flush=True)
            chance = random.Random(seed)
            for kill in range(harness.count(4, 20)):
                victim = 0 if kill == 0 else chance.randrange(WORKERS)
                after = chance.uniform(0.0, 0.6 * training)
                seconds, code, report, text = self.train(folder, victim, after)
                final = report["final"]
                print(
                    f"kill {kill + 1}: rank {victim} after {after:.1f} s: {seconds:.1f} s, exit code {code}, "
                    f"lost {final['lost']}, accuracy {100 * final['test_accuracy']:.1f} %",
                    flush=True,
                )
                self.assertEqual(code, 3, text[-3000:])
                self.assertEqual(final["lost"], [victim])
                self.assertEqual(final["members"], [rank for rank in range(WORKERS) if rank != victim])
                self.assertRegex(text, rf"lost rank {victim}\b")
                # Seven do the work of eight, and the machine is noisy: a third more time, and the ten seconds.
                self.assertLess(seconds, 1.34 * usual + 10.0)
                self.assertGreater(final["test_accuracy"], 0.9)


if __name__ == "__main__":
    unittest.main(verbosity=2)
