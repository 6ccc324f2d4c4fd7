#!/usr/bin/env python3
"""One duet-train, three transports: the digits come out the same, and a transport that was unplugged is reported."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness

WORKERS = 8


class Transports(unittest.TestCase):
    """Runs a copy of the programs and libraries, whose plugins can be taken away without disturbing other tests."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "bin").mkdir()
        for program in ("duet-train", "duet-run"):
            shutil.copy(harness.BIN / program, self.root / "bin")
        shutil.copytree(harness.BUILD / "lib", self.root / "lib", symlinks=True, ignore=shutil.ignore_patterns("*.a"))

    def run_copy(self, *command, timeout=300):
        return harness.run(*command, timeout=timeout, LD_LIBRARY_PATH=self.root / "lib")

    def train(self, transport, seed=1, epochs=harness.count(100, 300)):
        report = self.root / "report.json"
        report.unlink(missing_ok=True)
        program = [self.root / "bin" / "duet-train"]
        if transport == "inproc":
            program += ["--workers", WORKERS]
        else:
            program = [self.root / "bin" / "duet-run", "-n", WORKERS, "--"] + program
        done = self.run_copy(
            *program, "--dataset", "digits", "--data", harness.SOURCE / "samples" / "data", "--graph", "ring", "--seed", seed,
            "--epochs", epochs, "--transport", transport, "--report", report, timeout=600,
        )
        return done, json.loads(report.read_text())["final"] if report.exists() else None

    def test_the_accuracy_does_not_depend_on_the_transport(self):
        for seed in range(1, harness.count(1, 3) + 1):
            accuracy = {}
            for transport in ("inproc", "libfabric:tcp", "unix"):
                done, final = self.train(transport, seed)
                self.assertEqual(done.returncode, 0, done.stderr[-3000:])
                self.assertEqual(final["members"], list(range(WORKERS)))
                self.assertGreater(final["meetings"], 100, f"{transport}: they hardly met")
                accuracy[transport] = final["test_accuracy"]
                print(f"seed {seed}, {transport}: {100 * accuracy[transport]:.2f} %, {final['meetings']} meetings", flush=True)
            self.assertLess(max(accuracy.values()) - min(accuracy.values()), 0.01, accuracy)
            self.assertGreater(min(accuracy.values()), 0.95)

    def test_an_unplugged_transport_is_reported_with_every_place(self):
        linked = subprocess.run(
            ["ldd", self.root / "bin" / "duet-train"], capture_output=True, text=True, check=True,
            env=harness.environment(LD_LIBRARY_PATH=self.root / "lib"),
        ).stdout
        self.assertIn(f"{self.root}/lib/libduet.so", linked, "the copy does not use its own libduet")
        done, final = self.train("unix", epochs=2)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertIsNotNone(final)

        plugin = self.root / "lib" / "duet" / "libduet_transport_unix.so"
        plugin.unlink()
        done, final = self.train("unix", epochs=2)
        text = done.stdout + done.stderr
        self.assertNotEqual(done.returncode, 0)
        self.assertIsNone(final)
        self.assertIn('no usable transport "unix"', text)
        self.assertIn(f"{plugin} (beside the SDK library): no such file", text)
        self.assertIn("DUET_PLUGIN_PATH", text)
        # The others are still there.
        done, _ = self.train("libfabric:tcp", epochs=2)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
