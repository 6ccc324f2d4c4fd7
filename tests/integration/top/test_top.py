#!/usr/bin/env python3
"""duet-top as a person on SSH has it: on a pseudo-terminal, with keys, resizing and signals; and as scripts have it."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402

TOP = harness.BIN / "duet-top"
DOWN, END, F1, F6 = b"\x1b[B", b"\x1b[4~", b"\x1bOP", b"\x1b[17~"
DEADLINE = 30.0


class Terminal:
    """A duet-top on a pseudo-terminal, and everything that it has written."""

    def __init__(self, *arguments, columns=110, rows=32, **env):
        self.main, child = pty.openpty()
        self.resize(columns, rows)
        self.process = subprocess.Popen(
            [str(TOP), *map(str, arguments)], stdin=child, stdout=child, stderr=child, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=harness.environment(**({"TERM": "xterm-256color"} | env)))
        os.close(child)
        self.written = b""

    def resize(self, columns, rows):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """What it writes within that time; returns early when it ends."""
        fresh = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.main], [], [], 0.05)[0]:
                continue
            try:
                part = os.read(self.main, 65536)
            except OSError:  # it has ended
                break
            if not part:
                break
            fresh += part
        self.written += fresh
        return fresh

    def until(self, text):
        """Waits for a text in what it writes from now on; on a screen that is patched, choose one that comes in one piece."""
        seen = b""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            seen += self.read(0.1)
            if text.encode() in seen:
                return seen
        raise AssertionError(f"{text!r} did not appear within {DEADLINE} s:\n{seen[-3000:]!r}")

    def press(self, keys):
        os.write(self.main, keys)

    def end(self):
        """Its exit code; what it still writes is read, or it could not end."""
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError("duet-top did not end")
        self.read(0.2)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.main)


def why_no_terminals():
    """None where pseudo-terminals can be had; a chroot or a container may lack /dev/pts."""
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as error:
        return f"no pseudo-terminals here: {error}"
    return None


@unittest.skipIf(why_no_terminals(), why_no_terminals())
class OnATerminal(unittest.TestCase):
    def start(self, *arguments, **more):
        terminal = Terminal(*arguments, **more)
        self.addCleanup(terminal.close)
        return terminal

    def test_shows_the_demo_and_answers_keys(self):
        top = self.start("--demo", "--workers", 8)
        top.until("a2cid2 on ring")
        top.press(b"h")
        top.until("sort by another column")
        top.press(b"x")
        top.press(b"\t")
        top.until("incarnation")
        top.press(b"/zzz\r")
        top.until("no worker matches")
        top.press(b"\x1b")
        top.read(0.5)
        top.press(F6 + b"I")
        top.read(0.5)
        top.press(F1)
        top.until("sort by another column")
        top.press(b"x")
        top.press(b"p")
        top.until("picture paused")
        top.press(b"q")
        self.assertEqual(top.end(), 0)

    def test_leaves_the_terminal_as_it_was(self):
        for way in ("q", "interrupt", "hang up", "terminate"):
            with self.subTest(way):
                top = self.start("--demo")
                before = termios.tcgetattr(top.main)
                top.until("a2cid2")
                self.assertNotEqual(termios.tcgetattr(top.main), before)
                if way == "q":
                    top.press(b"q")
                elif way == "interrupt":
                    top.press(b"\x03")
                else:
                    top.process.send_signal(signal.SIGHUP if way == "hang up" else signal.SIGTERM)
                self.assertEqual(top.end(), 0)
                self.assertEqual(termios.tcgetattr(top.main), before)
                self.assertIn(b"\x1b[?1049l", top.written)  # back from the other screen

    def test_follows_the_windows_size(self):
        top = self.start("--demo", "--workers", 100, columns=100, rows=30)
        top.until("a2cid2")
        for columns, rows in ((40, 10), (200, 60), (8, 3), (1, 1), (110, 32)):
            top.resize(columns, rows)
            top.process.send_signal(signal.SIGWINCH)
            top.read(0.4)
            self.assertIsNone(top.process.poll(), f"{columns}x{rows}")
        top.press(END + DOWN + b"h")
        top.until("sort by another column")
        top.press(b"xq")
        self.assertEqual(top.end(), 0)

    def test_no_color_is_honoured(self):
        colour = re.compile(rb"\x1b\[[0-9;]*(3[0-7]|4[0-7]|38;|48;)[0-9;]*m")
        for value, wanted in (("", True), ("1", False)):
            top = self.start("--demo", NO_COLOR=value)
            top.until("a2cid2")
            top.read(0.5)
            top.press(b"q")
            top.end()
            self.assertEqual(bool(colour.search(top.written)), wanted, f"NO_COLOR={value!r}")

    def test_an_unknown_terminal_is_an_error_that_says_so(self):
        top = self.start("--demo", TERM="no-such-terminal")
        self.assertEqual(top.end(), 2)
        self.assertIn(b"no-such-terminal", top.written)

    def test_waits_visibly_for_a_run_that_is_not_there(self):
        top = self.start("--connect", "127.0.0.1:1")
        top.until("connecting")
        top.press(b"q")
        self.assertEqual(top.end(), 0)


class ForScripts(unittest.TestCase):
    def run_top(self, *arguments, **more):
        return harness.run(TOP, *arguments, timeout=90, **more)

    def test_without_a_terminal_it_says_what_to_do(self):
        done = self.run_top("--demo")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--once", done.stderr)

    def test_once_json(self):
        done = self.run_top("--demo", "--workers", 12, "--once", "--json", "--at", 40)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["run"]["graph"], "ring")
        self.assertEqual(len(report["workers"]), 12)
        self.assertEqual(len(report["edges"]), 12)
        gone = [worker["rank"] for worker in report["workers"] if worker["state"] == "gone"]
        self.assertEqual(len(gone), 1)  # the demo's first trouble but one
        self.assertIn(("worker gone", gone[0]), [(each["kind"], each["rank"]) for each in report["findings"]])

    def test_once_is_the_same_every_time(self):
        first = self.run_top("--demo", "--once", "--at", 20, TZ="UTC")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(first.stdout, self.run_top("--demo", "--once", "--at", 20, TZ="UTC").stdout)
        self.assertIn("consensus distance", first.stdout)
        self.assertNotIn("\x1b", first.stdout)

    def test_records_and_opens(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "run.duetrec"
            done = self.run_top("--demo", "--once", "--json", "--at", 20, "--record", file)
            self.assertEqual(done.returncode, 0, done.stderr)
            opened = self.run_top("--open", file, "--once", "--json")
            self.assertEqual(opened.returncode, 0, opened.stderr)
            for one, other in zip(json.loads(done.stdout)["workers"], json.loads(opened.stdout)["workers"]):
                self.assertEqual(one["steps"], other["steps"])
            again = self.run_top("--demo", "--once", "--record", file)
            self.assertEqual(again.returncode, 2)
            self.assertIn("there already", again.stderr)
            file.write_bytes(file.read_bytes()[:5000])
            cut = self.run_top("--open", file, "--once", "--json")
            self.assertEqual(cut.returncode, 0, cut.stderr)
            self.assertIn("breaks off", json.loads(cut.stdout)["source"]["text"])

    def test_nobody_is_there(self):
        done = self.run_top("--connect", "127.0.0.1:1", "--once", "--timeout", 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody answers at 127.0.0.1:1", done.stderr)

    def test_wrong_options(self):
        for arguments in ((), ("--demo", "--open", "x"), ("--connect", "a:b"), ("--open", "/no/such/file"), ("--json", "--demo"),
                          ("--demo", "--workers", 0), ("--demo", "--workers", 2000), ("--demo", "--graph", "blob"),
                          ("--demo", "--once", "--record", "/no/such/folder/file"), ("--demo", "--secret-file", "/no/such/file")):
            with self.subTest(arguments):
                done = self.run_top(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr.strip())
                self.assertNotIn("terminate called", done.stderr)

    def test_help_names_every_key_and_exit_code(self):
        done = self.run_top("--help")
        self.assertEqual(done.returncode, 0)
        for part in ("--connect", "--once", "EXIT STATUS", "KEYS", "NO_COLOR"):
            self.assertIn(part, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
