#!/usr/bin/env python3
"""The program duet-plot: pictures of what duet-sim reported."""

import json
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
        """Texts of an SVG, how many lines it has that are more than a stroke, and how many strokes."""
        root = xml.etree.ElementTree.parse(picture).getroot()
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        points = [len(line.get("points").split()) for line in root.iter("{http://www.w3.org/2000/svg}polyline")]
        return texts, sum(count > 2 for count in points), sum(count == 2 for count in points)

    def plot(self, *arguments):
        picture = self.path("plot.svg")
        done = self.run_program("duet-plot", "--out", picture, *arguments)
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", ""))
        return self.lines(picture)

    def test_curves_of_several_reports_are_one_picture(self):
        reports = [self.simulate("gossip", f"{name}.json", "--algorithm", name) for name in ("adpsgd", "a2cid2")]
        texts, lines, _ = self.plot("--over", "meetings", *reports)
        self.assertIn("adpsgd", texts)
        self.assertIn("a2cid2", texts)
        self.assertIn("holdoff, ring of 8 · over meetings", texts)
        self.assertEqual(lines, 4)

    def changed(self, report, name, change):
        """A copy of a report, with something changed in it."""
        with open(report, encoding="utf-8") as file:
            content = json.load(file)
        change(content)
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            json.dump(content, file)
        return self.path(name)

    def test_reports_are_named_by_what_tells_them_apart(self):
        first = self.simulate("gossip", "first.json")
        texts, _, _ = self.plot(first)
        self.assertIn("first.json", texts)
        self.assertIn("a2cid2, holdoff, ring of 8 · over steps", texts)
        for settings, names, note in (
            ({}, ["first.json", "second.json"], "a2cid2, holdoff, ring of 8 · over steps"),
            ({"rate": 2.5, "torn": True}, ["rate 2.5, torn"], "a2cid2, holdoff, ring of 8 · over steps"),
            ({"workers": 16}, ["8 workers", "16 workers"], "a2cid2, holdoff, ring · over steps"),
            ({"graph": "star", "always_available": True}, ["always available, star", "not always available, ring"],
             "a2cid2, holdoff, 8 workers · over steps"),
        ):
            second = self.changed(first, "second.json", lambda report, settings=settings: report["settings"].update(settings))
            texts, _, _ = self.plot("--width", "1200", first, second)
            for name in (*names, note):
                self.assertIn(name, texts)
        # Two that differ in nothing, beside one that does.
        other = self.changed(first, "other/first.json", lambda report: None)
        third = self.changed(first, "third.json", lambda report: report["settings"].update(pairing="fifo"))
        texts, _, _ = self.plot("--width", "2400", first, other, third)
        self.assertIn("fifo", texts)
        for report in (first, other):
            self.assertIn("holdoff, " + report, texts)

    def test_where_a_run_was_not_finite_is_a_cross(self):
        report = self.simulate("train", "train.json", "--steps", "50")
        _, lines, strokes = self.plot(report)

        def diverge(content):
            for point in content["runs"][0]["curve"][-2:]:
                point[content["settings"]["curve"].index("loss")] = None

        texts, lines_after, strokes_after = self.plot(self.changed(report, "train.json", diverge))
        self.assertIn("train.json", texts)
        self.assertEqual(lines_after, lines)
        self.assertEqual(strokes_after, strokes + 4)

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
