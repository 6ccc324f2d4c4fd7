#!/usr/bin/env python3
"""What the documents show of the embedders is what they have: every block that says where it is from."""

import pathlib
import re
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [SOURCE / "docs" / "embedding.md", SOURCE / "docs" / "dashboard.md"]


class Documentation(unittest.TestCase):
    def test_blocks_are_in_their_files(self):
        texts = "".join(document.read_text() for document in DOCUMENTS)
        blocks = re.findall(r"<!-- from: (\S+) -->\n```\w+\n(.*?)```", texts, re.S)
        self.assertEqual({pathlib.Path(file).parts[2] for file, _ in blocks},
                         {"worker", "trainer", "topology", "plugin", "cuda", "dashboard", "subproject", "makefile"}, "all eight ways")
        for file, block in blocks:
            self.assertIn(block, (SOURCE / file).read_text(), f"a document shows lines that {file} does not have")


if __name__ == "__main__":
    unittest.main()
