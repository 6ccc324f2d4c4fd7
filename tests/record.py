#!/usr/bin/env python3
"""record.py RESULTS PAGE: writes down what a run of the tests came to, where and when, and what the proofs measured."""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as xml

from machine import machine_and_date
from totals import read, totals


def commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/test-run.md", ":!docs/benchmarks.md")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (", with changes" if changed else "")


def printed(folder):
    """What the tests of the proofs stage printed, by test, without unittest's own lines."""
    path = pathlib.Path(folder) / "proofs.xml"
    if not path.exists():
        return
    for case in xml.parse(path).getroot().iter("testcase"):
        lines = [line.rstrip() for line in (case.findtext("system-out") or "").splitlines()]
        lines = [line for line in lines if line not in ("", "ok", "OK") and not line.startswith(("-----", "Ran "))]
        yield case.get("name"), float(case.get("time", 0)), lines


def page(folder):
    folder = pathlib.Path(folder)
    counts = "the full counts" if "DUET_TEST_FULL" in os.environ else "the short counts"
    lines = [
        "# A run of the tests", "", "Written by `tests/run --record`; do not edit.", "",
        f"{machine_and_date()}; commit {commit()}; with {counts}.", "",
        "| stage | seconds |", "| --- | --- |",
    ]
    for file in sorted(folder.glob("*.seconds")):
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
    pathlib.Path(sys.argv[2]).write_text(page(sys.argv[1]), encoding="utf-8")
