#!/usr/bin/env python3
"""The program duet-dashboard as somebody starts it: pictures and tables without a display, recordings, refusals."""

import csv
import os
import signal
import struct
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["DUET_BUILD"]
PROGRAM = os.path.join(BUILD, "bin", "duet-dashboard")
# Of a window on 256 synthetic workers after a minute, the synthetic workers included (docs/dashboard.md).
MOST_MIB = 512


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.environment = dict(os.environ, XDG_CONFIG_HOME=self.folder.name, QT_SCALE_FACTOR="1", LC_ALL="C.UTF-8")
        self.environment.pop("DISPLAY", None)
        self.environment.pop("QT_QPA_PLATFORM", None)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_program(self, *arguments, timeout=120):
        return subprocess.run(
            [PROGRAM, *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def test_pictures_need_no_display(self):
        for size, theme in ((1280, 720), "light"), ((1920, 1080), "dark"):
            picture = self.path(f"{theme}.png")
            done = self.run_program(
                "--demo", "--screenshot", picture, "--size", f"{size[0]}x{size[1]}", "--theme", theme, "--after", "20"
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(picture, "rb") as file:
                head = file.read(24)
            self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
            self.assertEqual(struct.unpack(">II", head[16:24]), size)

    def test_the_same_demo_is_the_same_table(self):
        tables = []
        for name in "first.csv", "second.csv":
            done = self.run_program("--demo", "--demo-seed", "7", "--export", self.path(name), "--after", "30")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(self.path(name), encoding="utf-8") as file:
                tables.append(file.read())
        self.assertEqual(tables[0], tables[1])
        rows = list(csv.DictReader(tables[0].splitlines()))
        metrics = {row["metric"] for row in rows}
        self.assertLessEqual({"consensus_distance", "distance_to_mean", "loss", "pairings_per_second"}, metrics)
        self.assertEqual({row["rank"] for row in rows if row["metric"] == "loss"}, {str(rank) for rank in range(16)})

    def test_a_recording_plays_and_a_broken_one_opens_up_to_the_break(self):
        recording = self.path("run.duetrec")
        done = self.run_program("--demo", "--record", recording, "--export", self.path("demo.csv"), "--after", "40")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_program("--open", recording, "--export", self.path("replay.csv"), "--after", "120")
        self.assertEqual(done.returncode, 0, done.stderr)

        def losses(name):
            with open(self.path(name), encoding="utf-8") as file:
                return [row["value"] for row in csv.DictReader(file) if row["metric"] == "loss" and row["rank"] == "3"]

        self.assertGreater(len(losses("replay.csv")), 20)
        self.assertLessEqual(set(losses("replay.csv")), set(losses("demo.csv")))

        with open(recording, "rb") as file:
            data = file.read()
        with open(self.path("cut.duetrec"), "wb") as file:
            file.write(data[: len(data) // 2 + 7])
        done = self.run_program("--open", self.path("cut.duetrec"), "--export", self.path("cut.csv"), "--after", "120")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(len(losses("cut.csv")), 5)
        self.assertLess(len(losses("cut.csv")), len(losses("replay.csv")))

        done = self.run_program("--demo", "--record", recording, "--export", self.path("x.csv"), "--after", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn(recording, done.stderr)

    def test_a_minute_of_256_workers_stays_within_its_memory(self):
        with subprocess.Popen(
            [PROGRAM, "--demo", "--demo-workers", "256", "--export", self.path("many.csv"), "--after", "60"], env=self.environment
        ) as process:
            peak = 0
            while process.poll() is None:
                try:
                    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                        peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
                except OSError:
                    pass
                time.sleep(0.2)
        self.assertEqual(process.returncode, 0)
        print(f"256 workers, 60 s: at most {peak / 1024:.0f} MiB", flush=True)
        self.assertLess(peak / 1024, MOST_MIB)

    def test_1024_workers_are_still_a_picture(self):
        done = self.run_program("--demo", "--demo-workers", "1024", "--screenshot", self.path("many.png"), "--after", "10")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_refusals_say_what_to_do(self):
        for arguments, word, code in (
            (["--open", self.path("nothing.duetrec"), "--export", self.path("x.csv")], "nothing.duetrec", 1),
            (["--screenshot", self.path("x.png")], "--demo", 2),
            (["--connect", "node0:99999"], "99999", 2),
            (["--demo", "--screenshot", "/nowhere/x.png", "--after", "1"], "/nowhere/x.png", 1),
            (["--demo", "--demo-graph", "moebius", "--export", self.path("x.csv")], "moebius", 1),
        ):
            done = self.run_program(*arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(word, done.stderr)

    def test_a_terminated_dashboard_ends_at_once(self):
        environment = dict(self.environment, QT_QPA_PLATFORM="offscreen")
        with subprocess.Popen([PROGRAM, "--demo"], env=environment) as process:
            time.sleep(3)
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(10), -signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
