#!/usr/bin/env python3
"""An in-house Qt tool with the dashboard's plots in it."""

import unittest

import harness


class Dashboard(unittest.TestCase):
    def test_moved(self):
        program = harness.build(harness.PROJECTS / "dashboard", "dashboard", harness.MOVED) / "plots"
        picture = harness.ROOT / "work" / "dashboard" / "plots.png"
        harness.run(program, "demo", picture, timeout=60, QT_QPA_PLATFORM="offscreen")
        self.assertGreater(picture.stat().st_size, 5_000)


if __name__ == "__main__":
    unittest.main()
