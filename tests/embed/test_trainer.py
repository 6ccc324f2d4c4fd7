#!/usr/bin/env python3
"""A trainer with LibTorch."""

import unittest

import harness


class Trainer(unittest.TestCase):
    def test_installed_and_moved(self):
        # LibTorch's headers are the time that this takes: built once, and the package of the other tree only configured.
        program = harness.build(harness.PROJECTS / "trainer", "trainer", harness.INSTALLED) / "torch_trainer"
        harness.loads(program, harness.INSTALLED)
        harness.workers(2, program, harness.INSTALLED)
        harness.workers(2, program, harness.MOVED, LD_LIBRARY_PATH=harness.MOVED / "lib")

        moved = harness.copy(harness.PROJECTS / "trainer", "trainer-moved")
        harness.configure(moved, f"-DCMAKE_PREFIX_PATH={harness.MOVED}")
        harness.check_origins(moved / "build", harness.MOVED)


if __name__ == "__main__":
    unittest.main()
