#!/usr/bin/env python3
"""SIGKILL of one of 8 training workers at a random moment: the other seven finish, and say whom they lost.

The moment is anywhere from the first step to the end of the run, the wait for the others and the final average included. A
victim that had left by then is no kill: another moment is drawn.
"""

import itertools
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
from dataclasses import dataclass

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration" / "runs"))
import harness  # noqa: E402

WORKERS = 8
EPOCHS = harness.count(150, 250)
# The third is synchronous: everyone waits for the victim.
ALGORITHMS = ("a2cid2", "adpsgd", "allreduce")
PATIENCE = 10.0  # seconds that the death of one may cost the others


@dataclass
class Run:
    seconds: float  # from its start to its end
    first_step: float  # when it was seen, since the start
    code: int
    report: dict
    log: str

    @property
    def final(self):
        return self.report["final"]


class Kill(unittest.TestCase):
    def train(self, folder, algorithm, victim=None, after=0.0):
        """One run. victim: killed `after` seconds after the first step, if it is still there."""
        report = pathlib.Path(folder) / "report.json"
        report.unlink(missing_ok=True)
        path = pathlib.Path(folder) / "log"
        with open(path, "w", encoding="utf-8") as log:
            start = time.monotonic()
            launcher = harness.start_workers(
                WORKERS, "duet-train", "--dataset", "digits", "--data", harness.SOURCE / "samples" / "data", "--graph",
                "ring", "--algorithm", algorithm, "--epochs", EPOCHS, "--seed", 1, "--progress", "--report", report, log=log,
            )
            try:
                harness.wait_until(lambda: re.search(r"steps\D*[1-9]", path.read_text()), 60, "the first step")
                first_step = time.monotonic() - start
                if victim is not None:
                    process = harness.worker_process(launcher, victim)
                    time.sleep(max(0.0, start + first_step + after - time.monotonic()))
                    try:
                        os.kill(process, signal.SIGKILL)
                    except ProcessLookupError:
                        pass  # it had left; the report will say so
                code = launcher.wait(timeout=180)
            finally:
                if launcher.poll() is None:
                    os.killpg(launcher.pid, signal.SIGKILL)
                    launcher.wait()
            seconds = time.monotonic() - start
        text = path.read_text()
        self.assertTrue(report.exists(), f"no report (exit code {code})\n{text[-4000:]}")
        return Run(seconds, first_step, code, json.loads(report.read_text()), text)

    def check_trace(self, run):
        steps = [point["steps"] for point in run.report["trace"]]
        self.assertTrue(steps, "no trace")
        falls = [(before, after) for before, after in itertools.pairwise(steps) if after < before]
        self.assertEqual(falls, [], "the steps of a worker that is lost have been made all the same")
        self.assertGreaterEqual(run.final["steps"], max(steps, default=1))

    def had_left(self, run, victim):
        """Whether the victim had handed in all that it had to: then nobody misses it."""
        everyone = list(range(WORKERS))
        handed_in = [worker["rank"] for worker in run.report["workers"]]
        return run.code == 0 and run.final["lost"] == [] and run.final["members"] == everyone and victim in handed_in

    def check_survivors(self, run, victim, usual):
        others = [rank for rank in range(WORKERS) if rank != victim]
        self.assertEqual(run.code, 3, run.log[-3000:])
        self.assertEqual(run.final["lost"], [victim])
        self.assertRegex(run.log, rf"lost rank {victim}\b")
        # One that died after the average is in it, and lost all the same.
        self.assertIn(run.final["members"], (others, list(range(WORKERS))))
        # Where every worker has a core of its own, seven take 8/7 of the time for the same samples; where they share a few,
        # the dead one's share is theirs.
        where_they_would_have_been = usual * (8 / 7 if (os.cpu_count() or 1) >= WORKERS else 1)
        self.assertLess(run.seconds, where_they_would_have_been + PATIENCE)
        self.assertGreaterEqual(run.final["test_accuracy"], 0.95)
        self.check_trace(run)

    def test_the_other_seven_finish(self):
        seed = int(os.environ.get("DUET_TEST_SEED", time.time()))
        print(f"DUET_TEST_SEED={seed}", flush=True)
        chance = random.Random(seed)
        kills = harness.count(3, 20)
        # One death under allreduce, the others in turns.
        algorithms = ["a2cid2", "allreduce", "adpsgd"] + [ALGORITHMS[kill % 2] for kill in range(3, kills)]
        figures = []
        with tempfile.TemporaryDirectory() as folder:
            usual = {}
            for algorithm in ALGORITHMS:
                run = self.train(folder, algorithm)
                usual[algorithm] = [run]
                self.assertEqual(run.code, 0, run.log[-2000:])
                self.assertEqual(run.final["members"], list(range(WORKERS)))
                self.check_trace(run)
                print(f"{algorithm} without a death: {run.seconds:.1f} s, first step after {run.first_step:.1f} s", flush=True)
            for kill, algorithm in enumerate(algorithms):
                victim = 0 if kill == 0 else chance.randrange(WORKERS)
                for _ in range(5):
                    latest = usual[algorithm][-1]
                    after = chance.uniform(0.0, latest.seconds - latest.first_step)
                    run = self.train(folder, algorithm, victim, after)
                    if not self.had_left(run, victim):
                        break
                    # Nothing happened to it: one more run as they usually are.
                    usual[algorithm].append(run)
                    print(f"rank {victim} had left after {after:.1f} s of {run.seconds:.1f} s: another moment", flush=True)
                else:
                    self.fail(f"rank {victim} had left five times: it leaves before it should")
                print(
                    f"kill {kill + 1}, {algorithm}: rank {victim} after {after:.1f} s: {run.seconds:.1f} s, exit code {run.code}, "
                    f"lost {run.final['lost']}, {len(run.final['members'])} in the average, "
                    f"accuracy {100 * run.final['test_accuracy']:.1f} %",
                    flush=True,
                )
                with self.subTest(kill=kill + 1, algorithm=algorithm, victim=victim, after=after):
                    self.check_survivors(run, victim, max(one.seconds for one in usual[algorithm]))
                figures.append({"algorithm": algorithm, "victim": victim, "after": after, "seconds": run.seconds})
        harness.write_figures("kill", usual={name: [run.seconds for run in runs] for name, runs in usual.items()}, kills=figures)


if __name__ == "__main__":
    unittest.main(verbosity=2)
