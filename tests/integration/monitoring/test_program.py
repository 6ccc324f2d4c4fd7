"""duet-exporter on real workers: all found through one of them, one that is killed, another run on the same ports, its end."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402
from harness import free_ports  # noqa: E402
from prometheus import get  # noqa: E402
from trainers import Run  # noqa: E402

PROGRAM = harness.BIN / "duet-exporter"
PROMTOOL = shutil.which("promtool")
WORKERS = 4


class Exporter:
    """A duet-exporter until the end of the block."""

    def __init__(self, connect, *arguments, **env):
        self.port = free_ports()
        self.log = tempfile.TemporaryFile(mode="w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [str(PROGRAM), "--connect", connect, "--port", str(self.port), *map(str, arguments)],
            stdout=self.log, stderr=self.log, start_new_session=True, env=harness.environment(**env))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def page(self, path):
        return get(f"http://127.0.0.1:{self.port}{path}")

    def answer(self, path):
        """Status and text, whatever the status."""
        try:
            return 200, self.page(path)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def values(self, name):
        """By label text: {'rank="0"': 1.0}."""
        return {labels: float(value) for labels, value in re.findall(rf"^{name}\{{(.*)\}} (\S+)$", self.page("/metrics"), re.M)}

    def wait_for(self, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if result := what():
                    return result
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.1)
        raise AssertionError(f"nothing within {seconds} s; duet-exporter said:\n{self.text()}")

    def wait_ready(self, workers=WORKERS):
        self.wait_for(lambda: f"{workers} of {workers}" in self.page("/readyz"))


def start_run(port, workers=WORKERS, **env):
    return Run(workers, DUET_TELEMETRY_PORT=port, **env)


def is_free(port):
    """Killed workers hold their ports a moment longer than their launcher lives."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    return True


class OnARun(unittest.TestCase):
    def test_serves_all_workers_that_one_address_leads_to(self):
        port = free_ports(WORKERS)
        with start_run(port), Exporter(f"127.0.0.1:{port + 2}") as exporter:
            exporter.wait_ready()
            ranks = {f'rank="{rank}"' for rank in range(WORKERS)}
            self.assertEqual(exporter.values("duet_worker_up"), dict.fromkeys(ranks, 1.0))
            before = exporter.values("duet_gradient_steps_total")
            self.assertEqual(set(before), ranks)
            exporter.wait_for(
                lambda: all(steps > before[rank] for rank, steps in exporter.values("duet_gradient_steps_total").items()))
            exporter.wait_for(lambda: len(exporter.values("duet_consensus_distance")) == WORKERS)
            met = exporter.wait_for(lambda: len(found := exporter.values("duet_pairings_total")) == 2 * WORKERS and found)
            self.assertIn('peer="1",rank="0"', met, "a ring: each has two neighbours")

            # Later counts, from another of its pages, are not smaller.
            edges = json.loads(exporter.page("/edges"))
            self.assertEqual([worker["rank"] for worker in edges], list(range(WORKERS)))
            for worker in edges:
                for edge in worker["edges"]:
                    self.assertGreaterEqual(edge["pairings"], met[f'peer="{edge["peer"]}",rank="{worker["rank"]}"'])

            (group,) = json.loads(exporter.page("/sd"))
            self.assertEqual(group["targets"], [f"127.0.0.1:{exporter.port}"])
            self.assertEqual(group["labels"], {"run_id": edges[0]["run_id"]})
            self.assertEqual(exporter.page("/healthz"), "ok\n")
            for path in ("/metrics", "/edges", "/sd", "/readyz"):
                self.assertIn(f'href="{path}"', exporter.page("/"))
            self.check(exporter.page("/metrics"))

    def check(self, page):
        if not PROMTOOL:
            return
        result = subprocess.run([PROMTOOL, "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""), page)

    def test_a_worker_that_is_killed_is_down_and_then_forgotten(self):
        port = free_ports(WORKERS)
        with start_run(port) as run, Exporter(f"127.0.0.1:{port}", "--forget", 8) as exporter:
            exporter.wait_ready()
            os.kill(harness.worker_process(run.process, 1), signal.SIGKILL)
            exporter.wait_for(lambda: exporter.values("duet_worker_up").get('rank="1"') == 0.0)
            self.assertNotIn('rank="1"', exporter.values("duet_gradient_steps_total"))
            self.assertIn('rank="0"', exporter.values("duet_gradient_steps_total"))
            exporter.wait_for(lambda: 'rank="1"' not in exporter.values("duet_worker_up"))
            self.assertEqual(exporter.values("duet_worker_up")['rank="0"'], 1.0)

    def test_another_run_on_the_same_ports_takes_over(self):
        port = free_ports(2)
        with Exporter(f"127.0.0.1:{port}") as exporter:
            exporter.wait_for(lambda: "trying again" in exporter.answer("/readyz")[1])
            self.assertEqual(exporter.answer("/readyz")[0], 503)
            self.assertEqual(json.loads(exporter.page("/sd")), [])
            ids = set()
            for _ in range(2):
                with start_run(port, 2):
                    exporter.wait_for(
                        lambda: (groups := json.loads(exporter.page("/sd"))) and groups[0]["labels"]["run_id"] not in ids)
                    exporter.wait_ready(2)
                    ids.add(json.loads(exporter.page("/sd"))[0]["labels"]["run_id"])
                exporter.wait_for(lambda: is_free(port) and is_free(port + 1))
            self.assertEqual(len(ids), 2)

    def test_a_secret_is_needed_and_enough(self):
        port = free_ports(2)
        secret = "a secret that is long enough"
        with start_run(port, 2, DUET_SECRET=secret), tempfile.NamedTemporaryFile("w") as file:
            file.write(secret + "\n")
            file.flush()
            with Exporter(f"127.0.0.1:{port}", DUET_SECRET=secret) as knows:
                knows.wait_ready(2)
            with Exporter(f"127.0.0.1:{port}", "--secret-file", file.name) as reads:
                reads.wait_ready(2)
            with Exporter(f"127.0.0.1:{port}") as stranger:
                stranger.wait_for(lambda: stranger.page("/healthz"))
                time.sleep(3)
                self.assertEqual(stranger.values("duet_worker_up"), {})


class TheProgram(unittest.TestCase):
    def test_ends_at_once_whatever_its_clients_do(self):
        for which in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(which), Exporter("127.0.0.1:1") as exporter:
                exporter.wait_for(lambda: exporter.page("/healthz"))
                silent = [socket.create_connection(("127.0.0.1", exporter.port), timeout=5) for _ in range(10)]
                begin = time.monotonic()
                exporter.process.send_signal(which)
                self.assertEqual(exporter.process.wait(20), 0)
                self.assertLess(time.monotonic() - begin, 2.0)
                for one in silent:
                    one.close()

    def test_what_cannot_be_is_one_line_and_an_exit_code(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for arguments, word in (
                (("--connect", "a:b"), "a:b"),
                (("--connect", "a", "--port", port), str(port)),
                (("--connect", "a", "--port", 0, "--bind", "203.0.113.1"), "203.0.113.1"),
                (("--connect", "a", "--secret-file", "/no/such/file"), "/no/such/file"),
            ):
                with self.subTest(arguments):
                    done = harness.run(PROGRAM, *arguments, timeout=30)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(word, done.stderr)
                    self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for arguments in ((), ("--connect",), ("--connect", "a", "--port", 70000), ("--connect", "a", "--forget", -1), ("--blob",)):
            with self.subTest(arguments):
                done = harness.run(PROGRAM, *arguments, timeout=30)
                self.assertEqual(done.returncode, 2)
                self.assertTrue(done.stderr.strip())

    def test_help_and_version(self):
        done = harness.run(PROGRAM, "--help")
        self.assertEqual(done.returncode, 0)
        for part in ("--connect", "--port", "29600", "--bind", "--secret-file", "--forget", "EXIT STATUS"):
            self.assertIn(part, done.stdout)
        manual = (harness.SOURCE / "monitor" / "exporter" / "program" / "duet-exporter.1").read_text().replace("\\-", "-")
        for option in set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help", "--version"}:
            self.assertIn(option, manual)
        self.assertRegex(harness.run(PROGRAM, "--version").stdout, r"\d+\.\d+\.\d+")


if __name__ == "__main__":
    unittest.main(verbosity=2)
