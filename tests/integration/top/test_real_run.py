#!/usr/bin/env python3
"""The observer on real workers: all found through one of them, one killed and named, a recording that is cut anywhere."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "runs"), str(TESTS / "monitoring")]
import harness  # noqa: E402
from harness import free_ports  # noqa: E402

TOP = harness.BIN / "duet-top"
CUTS = harness.BUILD / "tests" / "recording_cuts"
WORKERS = 4


class RealRun(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.port = free_ports(WORKERS)
        self.log = open(self.folder / "workers.log", "w", encoding="utf-8")
        self.addCleanup(self.log.close)
        self.workers = subprocess.Popen(
            [str(harness.BIN / "duet-run"), "-n", str(WORKERS), str(harness.BIN / "duet-quadratic"), "100000000"],
            stdout=self.log, stderr=self.log, start_new_session=True, env=harness.environment(DUET_TELEMETRY_PORT=self.port))
        self.addCleanup(self.end_workers)

    def end_workers(self):
        if self.workers.poll() is None:
            os.killpg(self.workers.pid, signal.SIGKILL)
        self.workers.wait(30)

    def top(self, *arguments):
        done = harness.run(TOP, *arguments, "--once", "--json", timeout=90)
        self.assertEqual(done.returncode, 0, done.stderr + (self.folder / "workers.log").read_text()[-2000:])
        return json.loads(done.stdout)

    def test_found_through_one_and_recorded(self):
        file = self.folder / "run.duetrec"
        live = self.top("--connect", f"127.0.0.1:{self.port + 2}", "--timeout", 40, "--at", 6, "--record", file)
        self.assertEqual([worker["state"] for worker in live["workers"]], ["running"] * WORKERS, live["findings"])
        self.assertEqual(live["run"]["graph"], "ring")
        self.assertEqual(len(live["edges"]), WORKERS)
        self.assertIsNotNone(live["consensus"])
        self.assertEqual(live["consensus"]["members"], WORKERS)
        for worker in live["workers"]:
            self.assertGreater(worker["steps_per_second"], 0)
            self.assertGreater(worker["pairings"], 0)
            self.assertIsNotNone(worker["distance_to_mean"])
        self.assertFalse([event for event in live["events"] if event["kind"] == "graph split"])

        played = self.top("--open", file)
        for one, other in zip(live["workers"], played["workers"]):
            self.assertEqual(one["steps"], other["steps"])
            self.assertEqual(one["incarnation"], other["incarnation"])

        done = harness.run(CUTS, file, 1000, int(os.environ.get("DUET_TEST_SEED", time.time_ns() % 100000)), timeout=90)
        print(done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout)
        opened = int(re.search(r"(\d+) opened", done.stdout).group(1))
        self.assertGreater(opened, 900)

    def test_one_that_is_killed_is_gone_and_named(self):
        first = self.top("--connect", f"127.0.0.1:{self.port}", "--timeout", 40)
        victim = next(worker for worker in first["workers"] if worker["rank"] == 1)
        os.kill(victim["pid"], signal.SIGKILL)
        # Whoever begins to watch only now knows of it from the others.
        end = time.monotonic() + 40
        while time.monotonic() < end:
            report = self.top("--connect", f"127.0.0.1:{self.port}", "--timeout", 10)
            states = {worker["rank"]: worker["state"] for worker in report["workers"]}
            if states[1] == "gone":
                break
        self.assertEqual(states[1], "gone", report["findings"])
        self.assertIn(("worker gone", 1), [(each["kind"], each["rank"]) for each in report["findings"]])
        self.assertEqual({state for rank, state in states.items() if rank != 1}, {"running"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
