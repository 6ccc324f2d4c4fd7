#!/usr/bin/env python3
"""extract.py README NAME OUT: the code block that follows `<!-- snippet: NAME -->`."""

import re
import sys

readme, name, out = sys.argv[1:]
with open(readme, encoding="utf-8") as file:
    found = re.search(rf"<!-- snippet: {name} -->\n```cpp\n(.*?)```", file.read(), re.S)
if not found:
    sys.exit(f"{readme} has no snippet '{name}'")
with open(out, "w", encoding="utf-8") as file:
    file.write(found.group(1))
