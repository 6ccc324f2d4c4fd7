#!/usr/bin/env python3
"""A trainer without LibTorch, from the tree where it was installed and from the one that was moved."""

import unittest

import harness


class Worker(unittest.TestCase):
    def test_installed(self):
        program = harness.build(harness.PROJECTS / "worker", "worker", harness.INSTALLED) / "own_trainer"
        harness.loads(program, harness.INSTALLED)
        harness.workers(2, program, harness.INSTALLED)
        harness.together(harness.run(program), 1)  # alone, without a launcher

        # The same program after the tree was moved, as `ldconfig` or a wrapper would have it.
        harness.loads(program, harness.MOVED, LD_LIBRARY_PATH=harness.MOVED / "lib")
        harness.workers(2, program, harness.MOVED, LD_LIBRARY_PATH=harness.MOVED / "lib")

    def test_moved(self):
        program = harness.build(harness.PROJECTS / "worker", "worker-moved", harness.MOVED) / "own_trainer"
        harness.loads(program, harness.MOVED)
        harness.workers(2, program, harness.MOVED)


if __name__ == "__main__":
    unittest.main()
