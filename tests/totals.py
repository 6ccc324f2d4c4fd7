#!/usr/bin/env python3
"""totals.py FOLDER STAGE…: adds up what ctest wrote, a JUnit file and a log a stage; the last line is the totals. Exit code 1
on any failure.

Second tries are counted and named. A report of a sanitizer fails its stage, whatever a second try said.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field

RESULT = re.compile(r"^ *(?:\d+/\d+ )?Test +#\d+: (.+?) \.+ *(?:\*\*\*)?(Passed|Failed|Timeout|Exception|Skipped|Not Run)", re.MULTILINE)
# As they begin on a line of their own: not where a test quotes one.
REPORT = re.compile(
    r"^(?:=+\d*=*)?(WARNING: ThreadSanitizer: .*|ERROR: AddressSanitizer: .*|ERROR: LeakSanitizer: .*|\S+: runtime error: .*)$",
    re.MULTILINE,
)


@dataclass
class Stage:
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    lines: list = field(default_factory=list)  # what there is to say
    second_tries: list = field(default_factory=list)


def tries(log):
    """By test, what each of its tries came to, in order."""
    found = {}
    for name, result in RESULT.findall(log):
        found.setdefault(name, []).append(result)
    return found


def reason(case):
    output = (case.findtext("system-out") or "").strip().splitlines()
    # GoogleTest says where, and in the next line why.
    said = [why.strip() for where, why in zip(output, output[1:]) if where.endswith(": Skipped")]
    said += [line.strip() for line in output if "skip" in line.lower()]
    return said[0] if said else case.find("skipped").get("message", "")


def read_stage(name, junit, log):
    """One stage, from the texts of its two files."""
    stage = Stage(name)
    suite = xml.fromstring(junit)
    bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    stage.skipped = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
    stage.passed = int(suite.get("tests", 0)) - bad - stage.skipped
    stage.failed = bad
    for case in suite.iter("testcase"):
        if case.find("skipped") is not None:
            stage.lines.append(f"skipped {case.get('name')}: {reason(case)}")
        elif case.find("failure") is not None:
            stage.lines.append(f"FAILED {case.get('name')}")
    stage.second_tries = [test for test, results in tries(log).items() if len(results) > 1 and results[-1] == "Passed"]
    for test in stage.second_tries:
        stage.lines.append(f"passed at the second try only: {test}")
    reports = REPORT.findall(log)
    if reports and stage.failed == 0:
        # A test that passed at its second try: move one over, so that the numbers still add up.
        stage.failed, stage.passed = 1, max(stage.passed - 1, 0)
    for report in dict.fromkeys(reports):
        stage.lines.append(f"FAILED by a sanitizer's report: {report}")
    return stage


def read(folder, names=None):
    """The named stages; without names, all that are there."""
    stages = []
    for path in sorted(pathlib.Path(folder).glob("*.xml")):
        if names and path.stem not in names:
            continue
        log = path.with_suffix(".log")
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        stages.append(read_stage(path.stem, path.read_bytes(), text))
    return stages


def totals(stages):
    """The lines to print and the exit code."""
    lines = []
    for stage in stages:
        lines.append(f"{stage.name:10} {stage.passed} passed, {stage.failed} failed, {stage.skipped} skipped")
        lines += [f"    {line}" for line in stage.lines]
    again = sum(len(stage.second_tries) for stage in stages)
    if again:
        lines.append(f"{again} needed a second try: a test that does so twice is a bug")
    passed, failed, skipped = (sum(getattr(stage, what) for stage in stages) for what in ("passed", "failed", "skipped"))
    lines.append(f"{passed} passed, {failed} failed, {skipped} skipped")
    return lines, 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    said, code = totals(read(sys.argv[1], sys.argv[2:]))
    print("\n".join(said))
    sys.exit(code)
