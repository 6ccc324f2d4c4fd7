"""Runs the benchmark programs of a build: one function a group, each returns plain figures."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import time


class Bench:
    """The programs of one build. full: the sizes of docs/benchmarks.md, or fewer rounds for a test."""

    def __init__(self, build, full):
        self.build = pathlib.Path(build).resolve()
        self.full = full

    def groups(self):
        """The names of what can be measured here; each is a method."""
        names = ["passes", "meeting", "transport", "rate", "start", "idle"]
        return names + ["torch"] * (self.build / "bench" / "bench_worker_torch").exists()

    def measure(self, group):
        return getattr(self, group)()

    def passes(self):
        return json.loads(self._run("bench_passes", "--json", "--rounds", self._count(6, 15)))

    def meeting(self):
        return json.loads(self._run("bench_meeting", "--repeats", self._count(5, 9)))["results"][0]

    def transport(self):
        return json.loads(self._run("bench_transport", "--json"))

    def rate(self):
        return self._workers("bench_worker", "rate", self._count(3, 8))

    def start(self):
        return self._medians("bench_worker", 2)

    def idle(self):
        return self._workers("bench_worker", "idle", self._count(6, 10))

    def torch(self):
        return self._medians("bench_worker_torch", 4)

    def _medians(self, program, seconds):
        runs = [self._workers(program, "start", seconds) for _ in range(self._count(1, 3))]
        return {
            "seconds_until_all_have_met": statistics.median(one["seconds_until_all_have_met"] for one in runs),
            "largest_private_megabytes": max(one["largest_private_megabytes"] for one in runs),
        }

    def _count(self, quick, full):
        return full if self.full else quick

    def _workers(self, program, *arguments):
        """Eight workers under duet-run; the figures that their lowest rank prints."""
        command = ["-n", 8, "--", self.build / "bench" / program, *arguments]
        out = self._run(self.build / "bin" / "duet-run", *command, DUET_BENCH_START=str(time.time()), DUET_LOG="warning")
        found = re.search(r"\{.*\}", out)
        if not found:
            raise SystemExit(f"{program} {' '.join(map(str, arguments))} printed no figures:\n{out}")
        return json.loads(found.group())

    def _run(self, program, *arguments, **env):
        command = [str(self.build / "bench" / program), *(str(one) for one in arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=os.environ | env, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{' '.join(command)} was still running after 300 s") from None
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout
