#!/usr/bin/env python3
"""Runs the benchmarks of a build and writes docs/benchmarks.md: figures.py [BUILD] (default build/release).

All figures that count are ratios within one run. Run it on a machine that does nothing else; it takes some minutes.
"""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = (pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE / "build" / "release").resolve()
BENCH, BIN = BUILD / "bench", BUILD / "bin"


def run(*command, **env):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=os.environ | env, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def workers(program, *arguments):
    out = run(BIN / "duet-run", "-n", 8, "--", BENCH / program, *arguments, DUET_BENCH_START=str(time.time()), DUET_LOG="warning")
    return json.loads(re.search(r"\{.*\}", out).group())


def machine():
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo", encoding="ascii") if l.startswith("model name")), "?")
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}"


def verdict(good):
    return "yes" if good else "**no**"


def main():
    load = os.getloadavg()[0]
    passes = json.loads(run(BENCH / "bench_passes", "--json"))
    meeting = json.loads(run(BENCH / "bench_meeting"))
    transport = json.loads(run(BENCH / "bench_transport", "--json"))
    rate = workers("bench_worker", "rate", 8)
    start = [workers("bench_worker", "start", 3)["seconds_until_all_have_met"] for _ in range(3)]
    idle = workers("bench_worker", "idle", 10)
    torch = (BENCH / "bench_worker_torch").exists()
    if torch:
        torch_start = [workers("bench_worker_torch", "start", 5) for _ in range(3)]

    lines = [
        "# Benchmarks",
        "",
        "Written by `tests/bench/figures.py`; do not edit. What counts are ratios within one run.",
        "",
        f"{datetime.date.today()}, {machine()}; load average at the start {load:.1f}.",
        "",
        "## Fused passes, one thread, 25.6 M float32",
        "",
        "The bound is the time that moving the pass's bytes takes at the best copy or triad bandwidth of the same run,",
        "write-allocate counted; for passes that only read, at that of a reading loop over two streams",
        "([why](decisions/0007-read-bound.md)).",
        "",
        "| pass | ms | of the memory bound | at least 80 % |",
        "| --- | --- | --- | --- |",
    ]
    for name, one in passes["passes"].items():
        lines.append(f"| {name} | {1e3 * one['seconds']:.1f} | {100 * one['ratio']:.0f} % | {verdict(one['ratio'] >= 0.8)} |")
    lines += ["", "## One meeting of 25.6 M float32 between two processes, libfabric over tcp", "",
              "| block | in flight | meeting, s | transport alone, s | passes alone, s | ratio | at most 1.3 |",
              "| --- | --- | --- | --- | --- | --- | --- |"]
    for one in meeting["results"]:
        lines.append(
            f"| {one['block_bytes'] // 1024} KiB | {one['in_flight']} | {one['meeting']:.3f} | {one['transport']:.3f} | "
            f"{one['passes']:.3f} | {one['ratio']:.2f} | {verdict(one['ratio'] <= 1.3)} |"
        )
    lines += [
        "", "## Transport alone", "",
        f"- 1 MiB blocks, 4 in flight, both ways at once: {transport['gigabytes_per_second_each_way']:.2f} GB/s each way",
        f"- {transport['small_message_bytes']} bytes there and back: {transport['round_trips_per_second']:.0f} times a second",
        "", "## Eight tiny workers (1,000 parameters)", "",
        "| what | figure | wanted | met |", "| --- | --- | --- | --- |",
        f"| meetings (pairs) per second, no gradients | {rate['meetings_per_second']:.0f} | 2,000 | "
        f"{verdict(rate['meetings_per_second'] >= 2000)} |",
        f"| seconds from start until all have met (median of 3) | {sorted(start)[1]:.2f} | 2 | {verdict(sorted(start)[1] <= 2)} |",
        f"| an idle worker's share of a core (largest) | {100 * idle['largest_cpu_share']:.2f} % | 1 % | "
        f"{verdict(idle['largest_cpu_share'] < 0.01)} |",
        f"| private memory of a worker without LibTorch (largest) | {idle['largest_private_megabytes']:.0f} MB | | |",
    ]
    if torch:
        seconds = sorted(one["seconds_until_all_have_met"] for one in torch_start)[1]
        memory = max(one["largest_private_megabytes"] for one in torch_start)
        lines += [
            f"| the same with LibTorch in the process: until all have met | {seconds:.2f} | | |",
            f"| and private memory (largest) | {memory:.0f} MB | 150 MB | {verdict(memory < 150)} |",
        ]
    path = SOURCE / "docs" / "benchmarks.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
