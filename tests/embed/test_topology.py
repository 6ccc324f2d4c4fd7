#!/usr/bin/env python3
"""A trainer with a topology of its own."""

import unittest

import harness


class Topology(unittest.TestCase):
    def test_installed(self):
        program = harness.build(harness.PROJECTS / "topology", "topology", harness.INSTALLED) / "rack_trainer"
        output = harness.workers(4, program, harness.INSTALLED)
        self.assertIn("racks: chi1", output)
        harness.workers(4, program, harness.INSTALLED, arguments=["by-value"])

    def test_moved(self):
        program = harness.build(harness.PROJECTS / "topology", "topology-moved", harness.MOVED) / "rack_trainer"
        harness.workers(4, program, harness.MOVED)


if __name__ == "__main__":
    unittest.main()
