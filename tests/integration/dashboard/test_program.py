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
FULL = bool(os.environ.get("DUET_TEST_FULL"))
# Of a window on 256 synthetic workers, the synthetic workers included: after a minute, and ever (docs/dashboard.md).
MOST_MIB = 128
MOST_MIB_EVER = 256


def most_mib(process):
    """The most memory that it ever had; 0 when it has ended."""
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            return max([0.0] + [int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")])
    except OSError:
        return 0.0


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.environment = dict(os.environ, XDG_CONFIG_HOME=self.folder.name, QT_SCALE_FACTOR="1", LC_ALL="C.UTF-8")
        self.environment.pop("DISPLAY", None)
        self.environment.pop("WAYLAND_DISPLAY", None)
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

    def test_the_demo_is_on_the_screen_within_a_second(self):
        """With the minute that its plots show at once."""
        taken = []
        for _ in range(5):
            begin = time.monotonic()
            done = self.run_program("--demo", "--screenshot", self.path("first.png"), "--after", "60")
            taken.append(time.monotonic() - begin)
            self.assertEqual(done.returncode, 0, done.stderr)
        print(f"from start to a painted window: {min(taken):.2f} s, median {sorted(taken)[2]:.2f} s", flush=True)
        self.assertLess(min(taken), 1.0)

    def test_256_workers_stay_within_their_memory(self):
        """As somebody watches them: a window that draws, at the run's own pace."""
        environment = dict(self.environment, QT_QPA_PLATFORM="offscreen")
        seconds = 60 if FULL else 15
        with subprocess.Popen([PROGRAM, "--demo", "--demo-workers", "256"], env=environment) as process:
            try:
                time.sleep(seconds)
                self.assertIsNone(process.poll())
                peak = most_mib(process)
            finally:
                process.terminate()
        print(f"256 workers, {seconds} s: at most {peak:.0f} MiB", flush=True)
        self.assertGreater(peak, 0)
        self.assertLess(peak, MOST_MIB)

    def test_a_long_run_stays_within_its_memory(self):
        """Of 256 workers as many samples as are held for an hour: the oldest go."""
        seconds = 3600 if FULL else 200
        with subprocess.Popen(
            [PROGRAM, "--demo", "--demo-workers", "256", "--buffer-seconds", str(seconds / 2)]
            + ["--screenshot", self.path("many.png"), "--after", str(seconds)],
            env=self.environment,
        ) as process:
            peak = 0
            while process.poll() is None:
                peak = max(peak, most_mib(process))
                time.sleep(0.1)
        self.assertEqual(process.returncode, 0)
        print(f"256 workers, {seconds} s of the run: at most {peak:.0f} MiB", flush=True)
        self.assertGreater(peak, 0)
        self.assertLess(peak, MOST_MIB_EVER)

    def test_1024_workers_are_still_a_picture(self):
        done = self.run_program("--demo", "--demo-workers", "1024", "--screenshot", self.path("many.png"), "--after", "10")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_refusals_say_what_to_do(self):
        for arguments, word, code in (
            (["--open", self.path("nothing.duetrec"), "--export", self.path("x.csv")], "nothing.duetrec", 1),
            (["--screenshot", self.path("x.png")], "--demo", 2),
            (["--connect", "node0:99999"], "99999", 2),
            (["--demo", "--screenshot", self.path("x.jpg")], "x.jpg", 2),
            (["--demo", "--screenshot", self.path("x.png"), "--after", "nan"], "--after", 2),
            (["--demo"], "DISPLAY", 1),
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
