#!/usr/bin/env python3
"""SIGKILL of one of 6 workers that gossip in lock step, or average now and then: the others make all of their steps.

By duet-quadratic, so without LibTorch. The moment is random: DUET_TEST_SEED repeats one.
"""

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

WORKERS = 6
STEPS = 3000
PATIENCE = 10.0  # seconds that the death of one may cost the others


class KillRounds(unittest.TestCase):
    def train(self, folder, algorithm, victim=None, after=0.0):
        """Seconds, exit code, output of one run."""
        path = pathlib.Path(folder) / "log"
        rate = 0.125 if algorithm == "local-sgd" else 1
        with open(path, "w", encoding="utf-8") as log:
            start = time.monotonic()
            launcher = harness.start_workers(WORKERS, "duet-quadratic", STEPS, log=log, DUET_ALGORITHM=algorithm, DUET_RATE=rate)
            try:
                if victim is not None:
                    time.sleep(after)
                    process = harness.worker_process(launcher, victim)
                    os.kill(process, signal.SIGKILL)
                code = launcher.wait(timeout=300)
            finally:
                if launcher.poll() is None:
                    os.killpg(launcher.pid, signal.SIGKILL)
                    launcher.wait()
        return time.monotonic() - start, code, path.read_text()

    def check_end(self, log, members):
        found = re.search(r"(\d+) workers, .* started ([0-9.]+) from the optimum, ended ([0-9.]+) from it", log)
        self.assertIsNotNone(found, log[-4000:])
        self.assertEqual(int(found[1]), members, log[-4000:])
        self.assertLess(float(found[3]), 0.2 * float(found[2]))

    def test_the_others_make_all_of_their_steps(self):
        seed = int(os.environ.get("DUET_TEST_SEED", time.time()))
        print(f"DUET_TEST_SEED={seed}", flush=True)
        chance = random.Random(seed)
        with tempfile.TemporaryDirectory() as folder:
            for algorithm in ("dpsgd", "local-sgd"):
                usual, code, log = self.train(folder, algorithm)
                self.assertEqual(code, 0, log[-4000:])
                self.check_end(log, WORKERS)
                for kill in range(harness.count(1, 10)):
                    # Joining takes a moment, and so does leaving.
                    after = chance.uniform(0.3, 0.7) * usual
                    victim = chance.randrange(WORKERS)
                    seconds, code, log = self.train(folder, algorithm, victim, after)
                    print(f"{algorithm}, kill {kill + 1}: rank {victim} after {after:.1f} s of {usual:.1f} s: {seconds:.1f} s", flush=True)
                    with self.subTest(algorithm=algorithm, victim=victim, after=after):
                        self.assertEqual(code, 3, log[-4000:])
                        self.check_end(log, WORKERS - 1)
                        self.assertLess(seconds, usual + PATIENCE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
