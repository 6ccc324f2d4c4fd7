#!/usr/bin/env python3
"""Makes this build's ABI the baseline, and says what that changes."""

import sys

import baseline
import description


def main():
    for kind in ("library", "plugin"):
        place = baseline.Place(kind)
        if place.reason:
            sys.exit(f"cannot renew: {place.reason}")
        place.path.parent.mkdir(parents=True, exist_ok=True)
        name = place.path.relative_to(description.SOURCE)
        fresh = place.path.with_suffix(".new")
        place.describe(fresh)
        if not place.path.exists():
            print(f"{name}: the first of its version")
        else:
            report = place.differences(fresh)
            print(f"{name}: no incompatible change" if not report else f"{name}: INCOMPATIBLE with what it was\n{report}")
        fresh.replace(place.path)
    # Whose version is no longer the present one is no longer compared with.
    current = {baseline.Place(kind).path for kind in ("library", "plugin")}
    for path in place.path.parent.glob("*.abi"):
        if path not in current:
            path.unlink()
            print(f"{path.relative_to(description.SOURCE)}: removed, no longer the present version")


if __name__ == "__main__":
    main()
