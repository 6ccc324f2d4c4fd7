#!/usr/bin/env python3
"""Every part turns off cleanly: configuring without any of them succeeds, says so, and asks for no test that cannot run.

Configures only, without building: that takes seconds.
"""

import pathlib
import re
import tempfile
import unittest

import harness

PARTS = ("TORCH", "LIBFABRIC", "CUDA", "NCCL", "OBSERVER", "TOP", "DASHBOARD", "EXPORTER", "PLUGIN_CHECK")


class PartsOff(unittest.TestCase):
    def configure(self, folder, *options):
        return harness.run("cmake", "-S", harness.SOURCE, "-B", folder, "-G", "Ninja", *options, timeout=200)

    def test_all_of_them(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.configure(folder, *(f"-DDUET_{part}=OFF" for part in PARTS))
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-4000:])
            summary = done.stdout[done.stdout.index("Duet ") :]
            for part in PARTS:
                with self.subTest(part):
                    line = re.search(rf"^--   {part.lower()} +off +(.*)$", summary, re.MULTILINE)
                    self.assertTrue(line, f"no line about {part}:\n{summary}")
                    self.assertEqual(line.group(1), f"turned off (DUET_{part}=OFF)")
            self.assertNotRegex(summary, r"(?m)^--   \w+ +on ")
            self.check_targets(folder)
            self.check_tests(folder)

    def check_targets(self, folder):
        rules = (pathlib.Path(folder) / "build.ninja").read_text()
        for target in ("duet-run", "duet-info", "duet-quadratic", "duet-gossip"):
            self.assertRegex(rules, rf"(?m)^build {target}:|^build bin/{target}:")
        for target in ("duet-train", "duet_torch", "libduet_transport_libfabric.so"):
            self.assertNotIn(target, rules)

    def check_tests(self, folder):
        """Programs are not built, so the tests that GoogleTest would list are not there; those that are must be able to run."""
        listed = harness.run("ctest", "--test-dir", folder, "-N").stdout
        names = re.findall(r"Test +#\d+: (\S+)", listed)
        self.assertIn("Core.Alone", names)
        self.assertIn("Readme.Worker", names)
        for name in names:
            self.assertNotRegex(name, r"^Runs\.|Together$|libfabric|Trainer|^Bench\.Figures$", "it needs what is turned off")

    def test_one_that_is_missing_but_demanded(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.configure(folder, "-DDUET_TORCH=ON", "-DDUET_TORCH_DIR=/no/torch")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("/no/torch", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
