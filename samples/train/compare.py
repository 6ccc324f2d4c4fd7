#!/usr/bin/env python3
"""Prints the reports of two or more training runs side by side: compare.py REPORT..."""

import json
import sys


def second_half(report):
    """Mean consensus distance over the second half of the trace (by steps)."""
    trace = report["trace"]
    if not trace:
        return float("nan")
    middle = trace[-1]["steps"] / 2
    values = [point["consensus_distance"] for point in trace if point["steps"] >= middle]
    return sum(values) / len(values)


ROWS = [
    ("test accuracy, averaged model", lambda r: f"{100 * r['final']['test_accuracy']:.2f} %"),
    ("test accuracy, mean of workers", lambda r: f"{100 * r['final']['mean_worker_test_accuracy']:.2f} %"),
    ("consensus distance, second half", lambda r: f"{second_half(r):.4f}"),
    ("consensus distance, end", lambda r: f"{r['final']['consensus_distance']:.4f}"),
    ("gradient steps, all workers", lambda r: f"{r['final']['steps']}"),
    ("meetings", lambda r: f"{r['final']['meetings']}"),
    ("seconds", lambda r: f"{r['final']['wall_seconds']:.1f}"),
    ("workers lost", lambda r: ", ".join(map(str, r["final"]["lost"])) or "none"),
]


def main(paths):
    if not paths:
        sys.exit(__doc__)
    reports = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                reports.append(json.load(file))
        except (OSError, ValueError) as error:
            sys.exit(f"compare: {path}: {error}")
    print()
    print(f"{'':34}" + "".join(f"{report['algorithm']:>14}" for report in reports))
    for label, value in ROWS:
        print(f"{label:34}" + "".join(f"{value(report):>14}" for report in reports))
    if len(reports) == 2:
        ratio = second_half(reports[0]) / second_half(reports[1])
        print(
            f"\nOver the second half {reports[0]['algorithm']} holds the workers together at {ratio:.2f} times the "
            f"distance of {reports[1]['algorithm']}, at the same number of meetings per step."
        )


if __name__ == "__main__":
    main(sys.argv[1:])
