#!/usr/bin/env python3
"""Plugins that cannot be used: duet-info, duet-plugin-check and a worker each say so, and why."""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402

TINY = pathlib.Path(os.environ["DUET_TINY_PLUGINS"])

# How it is wrong, and words of the reason.
MISFITS = (
    ("wrong_major", "speaks version 2.0 of the plugin ABI, this host speaks 1.0"),
    ("too_old", "speaks version 0.9 of the plugin ABI, this host speaks 1.0"),
    ("truncated", "lacks connect, accept"),
    ("headless", "its table has 8 bytes"),
    ("throws_in_entry", "threw an exception in its entry point: nobody caught me"),
    ("throws_in_probe", "threw an exception while it was probed: nobody caught me"),
    ("crashes_in_probe", "crashed"),
    ("unresolved", "no_library_has_this_function"),
    ("no_symbol", "has no symbol duet_transport_plugin"),
    ("not_viable", "no such hardware"),
)


class Misfits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "libduet_transport_tiny.so"

    def each(self):
        for variant, words in MISFITS:
            shutil.copy(TINY / f"{variant}.so", self.file)
            with self.subTest(variant):
                yield variant, words

    def test_duet_info(self):
        for _, words in self.each():
            done = harness.run(harness.BIN / "duet-info", "plugins", "--json", "--plugin-path", self.folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            found = [one for one in json.loads(done.stdout)["plugins"] if one["path"] == str(self.file)]
            self.assertEqual(len(found), 1, done.stdout)
            self.assertFalse(found[0]["viable"])
            self.assertIn(words, found[0]["reason"])

    def test_duet_plugin_check(self):
        for _, words in self.each():
            done = harness.run(harness.BIN / "duet-plugin-check", self.file)
            text = done.stdout + done.stderr
            self.assertEqual(done.returncode, 1, text)
            # It probes by itself, and says so in its own words.
            self.assertIn(words.replace(" while it was probed", ""), text)
            self.assertNotIn("Deadlines", text)
            self.assertIn("BROKEN", done.stdout)

    def test_a_worker_that_was_told_to_use_it(self):
        for _, words in self.each():
            done = harness.run_workers(
                2, "duet-gossip", "--transport", "tiny", "--graph", "ring", timeout=60, DUET_PLUGIN_PATH=self.folder
            )
            text = done.stdout + done.stderr
            self.assertNotEqual(done.returncode, 0, text)
            self.assertIn(words, text)
            self.assertIn(str(self.file), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
