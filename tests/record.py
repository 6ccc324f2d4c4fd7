#!/usr/bin/env python3
"""What a run of the tests came to, where and when, and what the proofs measured.

record.py --stage FILE SECONDS   notes when a stage ran, on which commit, with which counts
record.py --page RESULTS PAGE    writes the page about all stages that ran
"""

import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

from machine import machine_and_date
from totals import read, totals


def commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/test-run.md", ":!docs/benchmarks.md")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (", with changes" if changed else "")


def printed(folder):
    """What the tests of the stages proofs and bench printed, by test, without unittest's own lines."""
    for path in (pathlib.Path(folder) / name for name in ("proofs.xml", "bench.xml")):
        if not path.exists():
            continue
        for case in xml.parse(path).getroot().iter("testcase"):
            lines = [line.rstrip() for line in (case.findtext("system-out") or "").splitlines()]
            lines = [line for line in lines if line not in ("", "ok", "OK") and not line.startswith(("-----", "Ran "))]
            yield case.get("name"), float(case.get("time", 0)), lines


def stage(seconds):
    """A line of the page's table, without the stage's name."""
    counts = "full" if "DUET_TEST_FULL" in os.environ else "short"
    return f"{seconds} | {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} | {commit()} | {counts}"


def page(folder):
    folder = pathlib.Path(folder)
    lines = [
        "# A run of the tests", "", "Written by `tests/run --record`; do not edit.", "", f"{machine_and_date()}.", "",
        "| stage | seconds, its build aside | ended (UTC) | commit | counts |", "| --- | --- | --- | --- | --- |",
    ]
    for file in sorted(folder.glob("*.run")):
        lines.append(f"| {file.stem} | {file.read_text().strip()} |")
    said, _ = totals(read(folder))
    lines += ["", "```", *said, "```"]
    proofs = list(printed(folder))
    if proofs:
        lines += ["", "## What the proofs printed"]
    for name, seconds, output in proofs:
        lines += ["", f"{name}, {seconds:.0f} s:", "", "```", *output, "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1] == "--stage":
        pathlib.Path(sys.argv[2]).write_text(stage(sys.argv[3]) + "\n", encoding="utf-8")
    else:
        pathlib.Path(sys.argv[3]).write_text(page(sys.argv[2]), encoding="utf-8")
