#!/usr/bin/env python3
"""Bad input is one clear error that says what to do, an exit code other than 0, and nobody left hanging."""

import pathlib
import re
import socket
import tempfile
import time
import unittest

import harness

CIFAR_RECORD = 1 + 3 * 32 * 32
CIFAR_RECORDS = 10000


def write_cifar10(folder):
    """Files of the right sizes, and the right labels: zeros (sparse, so that they cost nothing)."""
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        with open(folder / name, "wb") as file:
            file.truncate(CIFAR_RECORD * CIFAR_RECORDS)


class BadInput(unittest.TestCase):
    def refused(self, done, *words, workers=1):
        """One error of each worker, all with these words, and everyone gone within 10 s."""
        text = done.stdout + done.stderr
        self.assertNotEqual(done.returncode, 0, text)
        self.assertLess(done.returncode, 126, f"somebody crashed\n{text}")
        self.assertLess(done.seconds, 10.0, f"somebody was left hanging\n{text}")
        for alarm in ("terminate called", "Traceback", "core dumped", "lost: signal"):
            self.assertNotIn(alarm, text)
        for rank in range(workers):
            prefix = rf"\[{rank}\] " if workers > 1 else ""
            errors = re.findall(rf"^{prefix}(duet-[a-z]+: .*)$", text, re.MULTILINE)
            self.assertEqual(len(errors), 1, f"errors of rank {rank}\n{text}")
        for word in words:
            self.assertIn(word, text)
        return text

    def timed(self, run):
        started = time.monotonic()
        done = run()
        done.seconds = time.monotonic() - started
        return done

    def alone(self, program, *arguments, **env):
        return self.timed(lambda: harness.run(harness.BIN / program, *arguments, timeout=60, **env))

    def together(self, program, *arguments, workers=3, **env):
        return self.timed(lambda: harness.run_workers(workers, program, *arguments, timeout=60, **env))

    def gossip(self, *arguments, workers=3, **env):
        return self.together("duet-gossip", *arguments, workers=workers, **env)

    def test_unknown_graph(self):
        self.refused(self.gossip("--graph", "triangle"), "triangle", "is not one of ring", workers=3)

    def test_disconnected_graph(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "graph"
            path.write_text("0 1\n2 3\n")
            done = self.gossip("--graph", f"file:{path}", workers=4)
        self.refused(done, "not connected", "worker 2 cannot be reached", "add an edge", workers=4)

    def test_rate_of_zero_or_less(self):
        for rate in ("0", "-1"):
            done = self.gossip("--graph", "ring", DUET_RATE=rate)
            self.refused(done, f"DUET_RATE={rate} is not a positive number", workers=3)

    def test_missing_plugin(self):
        done = self.gossip("--transport", "pigeon")
        self.refused(done, "pigeon", "libduet_transport_pigeon.so", "Install the plugin", workers=3)

    def test_different_models(self):
        # The second worker's vector is shorter: all of them say between whom the models differ, and where.
        each = 'if [ "$DUET_RANK" = 1 ]; then elements=1000; else elements=2000; fi; exec "$0" --elements $elements'
        done = self.timed(
            lambda: harness.run(harness.BIN / "duet-run", "-n", 3, "--", "sh", "-c", each, harness.BIN / "duet-gossip", timeout=60)
        )
        self.refused(
            done, "their models differ", "x: 2000 x float32", "x: 1000 x float32", "build the same model", workers=3
        )

    def test_different_programs(self):
        each = 'if [ "$DUET_RANK" = 1 ]; then exec "$0" 50; else exec "$1" --elements 2000; fi'
        programs = (harness.BIN / "duet-quadratic", harness.BIN / "duet-gossip")
        done = self.timed(lambda: harness.run(harness.BIN / "duet-run", "-n", 3, "--", "sh", "-c", each, *programs, timeout=60))
        self.refused(done, "x: 1000 x float32", "x: 2000 x float32", workers=3)

    def test_port_taken(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            done = self.gossip(DUET_RENDEZVOUS=f"seed://127.0.0.1:{port}")
        self.refused(
            done, f"127.0.0.1:{port}: Address already in use", "choose another port", "no Duet worker answers", workers=3
        )

    def test_unknown_provider(self):
        done = self.gossip(FI_PROVIDER="carrier")
        self.refused(done, "carrier", "no such provider", "FI_PROVIDER", workers=3)

    def test_provider_of_the_environment(self):
        done = self.gossip("--elements", 1000, FI_PROVIDER="tcp")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"meetings_per_worker"', done.stdout)
        # libfabric itself offers nothing but what the variable names: one that contradicts the suffix is said.
        done = self.gossip("--transport", "libfabric:tcp", FI_PROVIDER="carrier")
        self.refused(done, "cannot use tcp", "FI_PROVIDER=carrier is set", workers=3)

    def test_one_worker_has_nobody_to_meet(self):
        self.refused(self.alone("duet-gossip"), "one worker has nobody to meet", "--workers 16")
        self.refused(self.alone("duet-gossip", "--workers", 1), "one worker has nobody to meet")
        self.refused(self.alone("duet-info", "topology", "--graph", "ring", "--workers", 1), "--workers 1", "at least 2")

    def test_workers_that_are_threads_say_it_once(self):
        for arguments, words in (
            (("--graph", "triangle"), ("triangle", "is not one of ring")),
            (("--pairing", "blind"), ("pairing = blind", "holdoff")),
            (("--clock", "sundial"), ("clock = sundial", "adaptive")),
            (("--faults", "delay=x"), ("faults", "delay=x")),
        ):
            done = self.alone("duet-gossip", "--workers", 4, "--elements", 1000, *arguments)
            self.refused(done, *words)
            self.assertEqual(done.returncode, 2, arguments)

    def test_counts_that_cannot_be(self):
        for option in ("--elements", "--max-meetings"):
            for value in (0, -1, "12abc"):
                done = self.alone("duet-gossip", "--workers", 4, option, value)
                self.refused(done, option, str(value), "--help")
                self.assertEqual(done.returncode, 2)
        self.refused(self.alone("duet-gossip", "--workers", 4, "--seed", -1), "seed", "-1", "whole number")

    def test_steps_that_cannot_be(self):
        for program in ("duet-quadratic", "duet-racks"):
            for steps in ("12abc", "0", "-1", "", " 5", "99999999999999"):
                done = self.alone(program, steps)
                self.refused(done, "whole number from 1 to", f"'{steps}'")
                self.assertEqual(done.returncode, 2)
            done = self.alone(program, "--help")
            self.assertEqual((done.returncode, done.stdout), (0, f"usage: {program} [steps]\n"))

    def test_report_is_refused_before_the_run(self):
        with tempfile.TemporaryDirectory() as folder:
            for path, reason in ((folder, "Is a directory"), (f"{folder}/missing/report", "No such file or directory")):
                done = self.alone("duet-gossip", "--workers", 4, "--report", path)
                self.refused(done, path, reason, "name a file")
                self.assertEqual((done.returncode, done.stdout), (2, ""))

    def test_garbage_in_the_environment(self):
        self.refused(self.alone("duet-quadratic", DUET_RATE="fast"), "DUET_RATE=fast", "positive number")

    def test_unknown_flag(self):
        done = self.alone("duet-gossip", "--frobnicate")
        self.assertEqual(done.returncode, 2)
        self.assertIn("frobnicate", done.stdout + done.stderr)

    @unittest.skipUnless((harness.BIN / "duet-train").exists(), "duet-train is not built: no LibTorch")
    def test_truncated_cifar_file(self):
        for name, bytes_ in (("data_batch_3.bin", 1000), ("test_batch.bin", 0), ("data_batch_1.bin", CIFAR_RECORD * 9999)):
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                write_cifar10(folder)
                with open(folder / name, "r+b") as file:
                    file.truncate(bytes_)
                done = self.together("duet-train", "--dataset", "cifar10", "--data", folder, workers=2)
                self.refused(
                    done, f"{folder / name} has {bytes_} bytes", "expected 30730000 bytes", "unpack cifar-10-binary.tar.gz",
                    workers=2,
                )

    @unittest.skipUnless((harness.BIN / "duet-train").exists(), "duet-train is not built: no LibTorch")
    def test_missing_data(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.alone("duet-train", "--dataset", "digits", "--data", folder)
            self.refused(done, "cannot read", "digits.csv", "--data")
            done = self.alone("duet-train", "--dataset", "cifar10", "--data", folder)
            self.refused(done, "data_batch_1.bin", "--data")


if __name__ == "__main__":
    unittest.main(verbosity=2)
