#!/usr/bin/env python3
"""What docs/embedding.md shows of the embedders is what they have: every block that says where it is from."""

import pathlib
import re
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = SOURCE / "docs" / "embedding.md"


class Documentation(unittest.TestCase):
    def test_blocks_are_in_their_files(self):
        blocks = re.findall(r"<!-- from: (\S+) -->\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.S)
        self.assertEqual({pathlib.Path(file).parts[2] for file, _ in blocks},
                         {"worker", "trainer", "topology", "plugin", "cuda", "subproject", "makefile"}, "all seven ways")
        for file, block in blocks:
            self.assertIn(block, (SOURCE / file).read_text(), f"{DOCUMENT} shows lines that {file} does not have")


if __name__ == "__main__":
    unittest.main()
