#!/usr/bin/env python3
"""check.py library|plugin: is this build's ABI compatible with the baseline? Says what to do if not."""

import pathlib
import sys
import tempfile

import baseline
import description
import slim

ADVICE = {
    "library": """Programs built against the baseline would not run with this library. If that is not meant, undo it: docs/compatibility.md
says what a patch, a minor and a major version may change. If it is meant, it needs a new DUET_SOVERSION (sdk/CMakeLists.txt),
unless the baseline's version was never released; then renew the baseline and commit it together with the change:
    tests/abi/renew""",
    "plugin": """Plugins built against the baseline would not work with this header. If that is not meant, undo it: docs/compatibility.md says
how the plugin ABI may grow. If it is meant, it needs a new DUET_TRANSPORT_ABI_MAJOR (transport.h), unless the baseline's
version was never released; then renew the baseline and commit it together with the change:
    tests/abi/renew""",
}


def complete(present):
    """A description that misses something cannot find anything wrong with it."""
    missing = sorted(description.declared_types() - slim.shown_types(present))
    blind = slim.functions_without_types(present)
    if missing:
        print(f"the library's debug information does not have the public types {', '.join(missing)}")
    if blind:
        print("these functions were compiled without debug information; add their files to the list in sdk/CMakeLists.txt:",
              *blind, sep="\n  ")
    return not missing and not blind


def main(kind):
    place = baseline.Place(kind)
    if place.reason:
        print(f"skipped: {place.reason}")
        return 0
    if not place.path.exists():
        print(f"there is no baseline {place.path}: a new version of the ABI starts with one. To make it:\n    tests/abi/renew")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        present = pathlib.Path(folder) / place.path.name
        place.describe(present)
        if kind == "library" and not complete(present):
            return 1
        report = place.differences(present)
    if report:
        print(report)
        print(ADVICE[kind])
        return 1
    print(f"compatible with {place.path.relative_to(description.SOURCE)}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ADVICE:
        sys.exit("usage: check.py library|plugin, with DUET_LIBRARY, DUET_CC and DUET_COMPILER set")
    sys.exit(main(sys.argv[1]))
