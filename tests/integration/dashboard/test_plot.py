#!/usr/bin/env python3
"""The program duet-plot: pictures of what duet-sim reported."""

import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

BIN = os.path.join(os.environ["DUET_BUILD"], "bin")


class Plot(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        # Without a session's folder Qt has something to say that is not the program's.
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.folder.name)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run_program(self, name, *arguments):
        return subprocess.run([os.path.join(BIN, name), *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def simulate(self, command, name, *arguments):
        report = self.path(name)
        done = self.run_program("duet-sim", command, "--workers", "8", "--seeds", "2", "--report", report, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return report

    def lines(self, picture):
        """Texts of an SVG, and how many lines it has that are more than a stroke."""
        root = xml.etree.ElementTree.parse(picture).getroot()
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        return texts, sum(1 for _ in root.iter("{http://www.w3.org/2000/svg}polyline"))

    def test_curves_of_several_reports_are_one_picture(self):
        reports = [self.simulate("gossip", f"{name}.json", "--algorithm", name) for name in ("adpsgd", "a2cid2")]
        picture = self.path("gossip.svg")
        done = self.run_program("duet-plot", "--out", picture, "--over", "meetings", *reports)
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", ""))
        texts, lines = self.lines(picture)
        self.assertIn("adpsgd, holdoff, ring of 8", texts)
        self.assertIn("a2cid2, holdoff, ring of 8", texts)
        self.assertGreaterEqual(lines, 4)

    def test_training_is_two_plots_and_a_png_as_well(self):
        report = self.simulate("train", "train.json", "--steps", "100")
        picture = self.path("train.png")
        done = self.run_program("duet-plot", "--out", picture, "--width", "640", "--height", "200", report)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with open(picture, "rb") as file:
            head = file.read(24)
        self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual((int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")), (640, 400))

    def test_what_cannot_be_is_refused_in_one_line(self):
        gossip = self.simulate("gossip", "gossip.json")
        train = self.simulate("train", "train.json", "--steps", "20")
        with open(self.path("broken.json"), "w", encoding="utf-8") as file:
            file.write("{")
        svg = self.path("out.svg")
        for code, words, arguments in (
            (2, "--out", [gossip]),
            (2, "reports", ["--out", svg]),
            (1, "absent.json: cannot be read", ["--out", svg, self.path("absent.json")]),
            (1, "broken.json: is no report", ["--out", svg, self.path("broken.json")]),
            (1, "is of duet-sim train", ["--out", svg, gossip, train]),
            (1, ".png or .svg", ["--out", self.path("out.pdf"), gossip]),
        ):
            done = self.run_program("duet-plot", *arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertFalse(os.path.exists(svg))


if __name__ == "__main__":
    unittest.main()
