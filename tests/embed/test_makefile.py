#!/usr/bin/env python3
"""A Makefile that asks pkg-config."""

import pathlib
import unittest

import harness

PC = "lib/pkgconfig"


class Makefile(unittest.TestCase):
    def make(self, name, prefix, target):
        folder = harness.copy(harness.PROJECTS / "makefile", name,
                              {"worker/main.cc": "main.cc", "trainer/main.cc": "torch_main.cc"}) / "source"
        harness.run("make", target, folder=folder, PKG_CONFIG_PATH=prefix / PC)
        harness.check_origins(folder, prefix)
        harness.loads(folder / target, prefix)
        harness.workers(2, folder / target, prefix)

    def test_installed(self):
        self.make("makefile", harness.INSTALLED, "own_trainer")

    def test_moved(self):
        self.make("makefile-moved", harness.MOVED, "own_trainer")

    @unittest.skipUnless(harness.WITH_TORCH, "this build has no LibTorch")
    def test_torch(self):
        self.make("makefile-torch", harness.MOVED, "torch_trainer")

    def test_what_it_says(self):
        def ask(*what):
            return harness.run("pkg-config", *what, PKG_CONFIG_PATH=harness.MOVED / PC).strip()

        self.assertEqual(ask("--modversion", "duet").split(".")[0], "1")
        self.assertEqual(pathlib.Path(ask("--variable=plugindir", "duet")).resolve(), harness.MOVED / "lib" / "duet")
        harness.run("pkg-config", "--exists", "duet >= 2", fails=True, PKG_CONFIG_PATH=harness.MOVED / PC)


if __name__ == "__main__":
    unittest.main()
