#!/usr/bin/env python3
"""Adds up the JUnit files that ctest wrote into a folder; the last line is the totals. Exit code 1 on any failure."""

import pathlib
import sys
import xml.etree.ElementTree as xml


def main(folder):
    passed = failed = skipped = 0
    for path in sorted(pathlib.Path(folder).glob("*.xml")):
        suite = xml.parse(path).getroot()
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        not_run = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
        good = int(suite.get("tests", 0)) - bad - not_run
        print(f"{path.stem:10} {good} passed, {bad} failed, {not_run} skipped")
        for case in suite.iter("testcase"):
            skip = case.find("skipped")
            if skip is not None:
                output = (case.findtext("system-out") or "").strip().splitlines()
                reasons = [line.strip() for line in output if "skip" in line.lower()]
                print(f"    skipped {case.get('name')}: {reasons[0] if reasons else skip.get('message', '')}")
            elif case.find("failure") is not None:
                print(f"    FAILED {case.get('name')}")
        passed, failed, skipped = passed + good, failed + bad, skipped + not_run
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
