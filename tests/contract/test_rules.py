#!/usr/bin/env python3
"""test_rules.py ROOT: the suite's sentences are those of the specification, and each of them is checked somewhere."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()


specified = {}
for match in re.finditer(r"^- \*\*([A-Z]+-\d+)\*\* (.*(?:\n  .*)*)", (root / "docs/transport-abi.md").read_text(), re.M):
    specified[match[1]] = one_line(match[2])

source = (root / "tests/contract/rules.cc").read_text()
quoted = {}
for match in re.finditer(r'\{"([A-Z]+-\d+)",((?:\s*"(?:[^"\\]|\\.)*")+)\}', source):
    pieces = re.findall(r'"((?:[^"\\]|\\.)*)"', match[2])
    quoted[match[1]] = one_line("".join(pieces).replace('\\"', '"'))

held = set()
for folder, pattern in (("tests/contract", "test_*.cc"), ("sdk/tools/plugin-check", "*.cc")):
    for path in (root / folder).glob(pattern):
        held |= set(re.findall(r'"([A-Z]+-\d+)"', path.read_text()))

problems = []
for rule in sorted(set(specified) | set(quoted)):
    if specified.get(rule) != quoted.get(rule):
        problems.append(f"{rule}\n  specification: {specified.get(rule)}\n  suite:         {quoted.get(rule)}")
    if rule not in held:
        problems.append(f"{rule} is checked by nothing")
for rule in sorted(held - set(quoted)):
    problems.append(f"{rule} is named by a check, and there is no such sentence")
if len(quoted) < 30:
    problems.append(f"only {len(quoted)} sentences were found")
print("\n".join(problems) or f"{len(quoted)} sentences, each specified and checked")
sys.exit(1 if problems else 0)
