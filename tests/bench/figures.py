#!/usr/bin/env python3
"""Runs the benchmarks of a build and writes docs/benchmarks.md, or with --check says whether they reach what they have to.

The page takes some minutes on a machine that does nothing else, and with what the proofs (Runs.Gossip, Runs.Digits,
Monitoring.Cost, Monitoring.Prometheus) have left in BUILD/figures it has their figures, too.
"""

import argparse
import json
import os
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "tests" / "bench"), str(SOURCE / "tests")]
from machine import machine_and_date  # noqa: E402
from measure import Bench  # noqa: E402
from page import page  # noqa: E402
from verdicts import judge  # noqa: E402

QUIET = 0.7  # load average


def check(bench, out=print):
    """Every group with a verdict; one that missed is measured once more, because machines are shared. True: all are good."""
    bad = []
    for group in bench.groups():
        verdicts = judge(group, bench.measure(group)) if group != "transport" else []
        missed = [one for one in verdicts if not one.good]
        if missed:
            for one in missed:
                out(f"missed, measuring {group} again: {one.name}: {one.figure}, wanted {one.wanted}")
            verdicts = judge(group, bench.measure(group))
        for one in verdicts:
            out(f"{'ok    ' if one.good else 'MISSED'} {one.name}: {one.figure}, wanted {one.wanted}")
        bad += [one for one in verdicts if not one.good]
    out(f"{len(bad)} missed" + "".join(f"; {one.name}: {one.figure}, wanted {one.wanted}" for one in bad))
    return not bad


def write(bench, path, anyway):
    load = os.getloadavg()[0]
    warning = None
    if load > QUIET:
        if not anyway:
            sys.exit(f"figures.py: the load average is {load:.1f}, above {QUIET}: these would be figures of what else runs here. "
                     "Wait until the machine is quiet, or --anyway to write the page with a warning on top")
        warning = f"Measured while something else was running (load average {load:.1f}): not to be relied on."
    figures = {group: bench.measure(group) for group in bench.groups()}
    proofs = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (bench.build / "figures").glob("*.json")}
    for name in ("gossip", "digits", "exporter", "prometheus"):
        if name not in proofs:
            print(f"figures.py: no {name}.json in {bench.build / 'figures'}: run the proofs first to have them on the page")
    path.write_text(page(figures, f"{machine_and_date()}; load average at the start {load:.1f}.", proofs, warning), encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?", default=SOURCE / "build" / "release")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a verdict was missed twice")
    parser.add_argument("--full", action="store_true", default="DUET_TEST_FULL" in os.environ, help="--check with all rounds")
    parser.add_argument("--anyway", action="store_true", help="write the page on a busy machine, too, with a warning on top")
    parser.add_argument("--output", type=pathlib.Path, default=SOURCE / "docs" / "benchmarks.md")
    settings = parser.parse_args()
    if settings.check:
        sys.exit(0 if check(Bench(settings.build, settings.full)) else 1)
    write(Bench(settings.build, True), settings.output, settings.anyway)


if __name__ == "__main__":
    main()
