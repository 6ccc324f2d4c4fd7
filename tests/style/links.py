"""Every link from a page to a file of the repository leads somewhere, and so does every decision that a source names.

    links.py SOURCE-TREE
"""

import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
files = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
decisions = {path.name[:4] for path in (root / "docs" / "decisions").glob("*.md")}
dead, links = [], 0
for name in filter(None, files):
    path = root / name
    if path.suffix == ".md":
        targets = re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        links += len(targets)
        dead += [f"{name}: {target}" for target in targets if not (path.parent / target).exists()]
    elif path.suffix in (".h", ".cc", ".cu", ".py", ".txt", ".sh"):
        named = re.findall(r"docs/decisions/(\d{4})", path.read_text(encoding="utf-8"))
        links += len(named)
        dead += [f"{name}: docs/decisions/{number}" for number in named if number not in decisions]
print(f"{links} links, {len(dead)} of them dead", *dead, sep="\n")
sys.exit(bool(dead) or links == 0)
