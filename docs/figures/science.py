#!/usr/bin/env python3
"""The tables of docs/science.md, by duet-sim and duet-train: runs them and writes what comes out between the page's markers.

    docs/figures/science.py                       all of them, half an hour or so on two processors
    docs/figures/science.py --only counts,clock   some; --list says which there are
    docs/figures/science.py --print --only counts only show it

Everything is seeded (seeds 1, 2, …): the same duet-sim gives the same tables, up to the last digit where processors round
differently. The tables real, straggler and transformer are of real workers, whose threads no seed holds.
"""

import argparse
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
PAGE = SOURCE / "docs" / "science.md"
BASELINE, A2CID2 = "adpsgd", "a2cid2"
NEVER = "never"


class Simulator:
    """Calls duet-sim; a call is made once."""

    def __init__(self, program, jobs):
        self.program = str(program)
        self.train = Trainer(pathlib.Path(program).with_name("duet-train"))
        self.jobs = jobs
        self.known = {}

    def __call__(self, command, seeds, **options):
        words = [command, "--seeds", str(seeds), "--jobs", str(self.jobs)]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            words += [flag] if value is True else [] if value is False else [flag, f"{value}"]
        key = tuple(words)
        if key not in self.known:
            with tempfile.TemporaryDirectory() as folder:
                report = pathlib.Path(folder) / "report.json"
                done = subprocess.run([self.program, *words, "--report", str(report)], capture_output=True, text=True)
                if done.returncode != 0:
                    sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
                self.known[key] = json.loads(report.read_text())
        return self.known[key]

    @staticmethod
    def run(*words):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")

    def meetings(self, seeds, **options):
        """Until agreement: the mean of the runs, or None when one of them never got there."""
        report = self("gossip", seeds, **options)
        summary = report["summary"]
        return summary["meetings"] if summary["reached"] == summary["runs"] else None

    def pair(self, seeds, **options):
        """Baseline / A²CiD²."""
        return " / ".join(count(self.meetings(seeds, algorithm=algorithm, **options)) for algorithm in (BASELINE, A2CID2))

    def consensus(self, seeds, **options):
        """Stationary consensus distance: mean of the runs, or None when one of them diverged."""
        summary = self("train", seeds, **options)["summary"]
        return summary["consensus"] if summary["diverged"] == 0 else None


def count(value):
    return NEVER if value is None else f"{value:.0f}"


def three(value):
    return "**diverges**" if value is None else f"{value:.3g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def slope(xs, ys):
    """Of the straight line through the logarithms."""
    xs, ys = [math.log(x) for x in xs], [math.log(y) for y in ys]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)


# ---- the tables: each a function of the simulator, named as its marker on the page

TABLES = {}


def page_table(function):
    TABLES[function.__name__] = function
    return function


@page_table
def curves(sim):
    """Not a table but a picture, by the dashboard's plot code."""
    picture = HERE / "gossip-ring-64.svg"
    with tempfile.TemporaryDirectory() as folder:
        reports = []
        for algorithm in (BASELINE, A2CID2):
            reports.append(str(pathlib.Path(folder) / f"{algorithm}.json"))
            sim.run(sim.program, "gossip", "--graph", "ring", "--workers", "64", "--pairing", "holdoff", "--algorithm", algorithm,
                    "--seeds", "4", "--report", reports[-1])
        sim.run(str(pathlib.Path(sim.program).with_name("duet-plot")), "--over", "meetings", "--out", str(picture), *reports)
    return f"![Squared consensus distance over meetings: baseline and A²CiD², ring of 64, hold-off](figures/{picture.name})"


POLICIES = ("memoryless", "fifo", "target", "holdoff")
LOADS = (
    ("0.02 of a step", {"meeting_time": 0.02}),
    ("0.3", {"meeting_time": 0.3}),
    ("0.9", {"meeting_time": 0.9}),
    ("2 (communication-bound)", {"meeting_time": 2}),
    ("2, a quarter of the edges 5× slower", {"meeting_time": 2, "slow_edges": "0.25:5"}),
    ("always available, no training", {"meeting_time": 1, "always_available": True}),
)


@page_table
def counts(sim):
    rows, sizes, slow, fast = [], (16, 32, 64, 128), [], []
    for n in sizes:
        seeds = 8 if n < 64 else 2
        common = {"graph": "ring", "workers": n, "pairing": "memoryless", "most_meetings": 100000}
        baseline = sim("gossip", seeds, algorithm=BASELINE, **common)["summary"]
        wall = sim("gossip", 8, algorithm=A2CID2, clock="wall", **common)["summary"]
        adaptive = sim("gossip", 8, algorithm=A2CID2, clock="adaptive", **common)["summary"]
        slow.append(baseline["rate"])
        fast.append(wall["rate"])
        rows.append((n, count(baseline["meetings"]), count(wall["meetings"]), count(adaptive["meetings"]),
                     f"{baseline['rate']:.3g}", f"{wall['rate']:.3g}"))
    rows.append(("slope in n", "", "", "", f"{slope(sizes, slow):.2f}", f"{slope(sizes, fast):.2f}"))
    return table(("ring of", "baseline", "A²CiD², wall clock", "A²CiD², adaptive clock", "rate, baseline", "rate, A²CiD², wall clock"), rows)


@page_table
def pairing(sim):
    rows = []
    for name, load in LOADS:
        cells = []
        for policy in POLICIES:
            if policy == "memoryless" and load.get("always_available"):
                cells.append("–")
                continue
            cells.append(sim.pair(8, graph="ring", workers=16, pairing=policy, **load))
        rows.append((name, *cells))
    return table(("a meeting takes", "memoryless", "first come", "drawn target", "hold-off"), rows)


GRAPHS = (("ring", 64), ("path", 16), ("star", 16), ("torus:4x4", 16), ("hypercube", 16), ("exponential", 32), ("complete", 16))


@page_table
def graphs(sim):
    rows = []
    for name, n in GRAPHS:
        for text, load in (("0.02", {"meeting_time": 0.02}), ("2", {"meeting_time": 2})):
            cells = [sim.pair(4, graph=name, workers=n, pairing=policy, **load) for policy in POLICIES]
            rows.append((f"{name} of {n}", text, *cells))
    return table(("graph", "a meeting takes", "memoryless", "first come", "drawn target", "hold-off"), rows)


GROWTH = 1.5  # of a stationary distance's root mean square over a quarter of the run there is no such thing


def settled(sim, seeds, **options):
    """Stationary consensus distance of the second half, as a cell and as a number: None where some run diverged, or where the distance
    still grows (its root mean square in the last quarter is more than GROWTH times that in the third), which no mean stands for."""
    report = sim("train", seeds, **options)
    if report["summary"]["diverged"] > 0:
        return three(None), None
    names = report["settings"]["curve"]
    time, distance = names.index("seconds"), names.index("consensus")
    squares = ([], [])  # of the third and the last quarter
    for run in report["runs"]:
        length = run["curve"][-1][time]
        for point in run["curve"]:
            if point[time] > length / 2:
                squares[point[time] > 0.75 * length].append(point[distance] ** 2)
    third, last = (math.sqrt(statistics.mean(quarter)) for quarter in squares)
    if last > GROWTH * third:
        return "grows", None
    value = report["summary"]["consensus"]
    return three(value), value


NOISE = {"objective": "quadratic", "curvature": 0, "learning_rate": 0.1, "momentum": 0.9, "dimension": 32}


@page_table
def noise(sim):
    rows, values = [], {}
    for n, rate, time, seeds in ((16, 1, 0.02, 4), (16, 2, 0.02, 4), (16, 1, 2, 4), (64, 1, 0.02, 2), (64, 2, 0.02, 2), (64, 1, 2, 2)):
        cells = []
        for policy in ("fifo", "holdoff"):
            for algorithm in (BASELINE, A2CID2):
                length = 600 if n == 16 else 1000
                cell, value = settled(sim, seeds, graph="ring", workers=n, rate=rate, meeting_time=time, pairing=policy,
                                      algorithm=algorithm, steps=length, **NOISE)
                values[n, rate, time, policy, algorithm] = value
                cells.append(cell)
        rows.append((n, rate, time, " / ".join(cells[:2]), " / ".join(cells[2:])))

    def worth(n, policy):
        once, twice = values[n, 1, 0.02, policy, A2CID2], values[n, 2, 0.02, policy, BASELINE]
        return f"{once / twice:.2f}" if once and twice else NEVER

    lines = "; ".join(f"ring of {n}: first come {worth(n, 'fifo')}, hold-off {worth(n, 'holdoff')}" for n in (16, 64))
    return (table(("ring of", "rate", "a meeting takes", "first come", "hold-off"), rows)
            + f"\n\nA²CiD² at rate 1 ÷ baseline at rate 2, meetings of 0.02 of a step:\n{lines}.")


QUADRATIC = {"objective": "quadratic", "curvature": 0.005, "learning_rate": 0.1, "momentum": 0.9, "dimension": 32}


@page_table
def clock(sim):
    rows = []
    for delivered in (0.1, 0.2, 0.3, 0.4, 0.7, 1, 2, 4):
        common = {"graph": "ring", "workers": 64, "pairing": "memoryless", "delivered": delivered, "steps": 1000, **QUADRATIC}
        rows.append(
            (
                delivered,
                three(sim.consensus(2, algorithm=BASELINE, **common)),
                three(sim.consensus(2, algorithm=A2CID2, clock="wall", **common)),
                three(sim.consensus(2, algorithm=A2CID2, clock="adaptive", **common)),
            )
        )
    return table(("meetings delivered / assumed", "baseline", "A²CiD², wall clock", "A²CiD², adaptive clock"), rows)


RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def grows(sim, n, delivered, clock_name, **more):
    """Pure gossip for at most 8n meetings of each worker: some run diverged, or ended further apart than it began. One that is slow, but
    on its way, does not grow."""
    report = sim("gossip", 4 if n <= 64 else 2, graph="ring", workers=n, algorithm=A2CID2, clock=clock_name, delivered=delivered,
                 reduction=1e-6, most_meetings=8 * n, **{"pairing": "memoryless", **more})
    return any(run["diverged"] or run["squared_distance"] > 1 for run in report["runs"])


def which(failing):
    """Up to where ratios fail; all that do, where there are better ones in between."""
    if not failing:
        return "none"
    if failing == [ratio for ratio in RATIOS if ratio <= max(failing)]:
        return f"≤ {max(failing):g}"
    return ", ".join(f"{ratio:g}" for ratio in failing)


@page_table
def boundary(sim):
    rows = []
    for n in (16, 32, 64, 128, 256):
        wall = [ratio for ratio in RATIOS if grows(sim, n, ratio, "wall")]
        hold = [ratio for ratio in RATIOS if grows(sim, n, ratio, "wall", pairing="holdoff")]
        adaptive = [ratio for ratio in RATIOS if grows(sim, n, ratio, "adaptive")]
        rows.append((n, *(which(ratios) for ratios in (wall, hold, adaptive))))
    return table(("ring of", "wall clock, memoryless", "wall clock, hold-off", "adaptive clock, memoryless"), rows)


TROUBLES = (("", {}), ("a quarter of the edges 5× slower", {"slow_edges": "0.25:5", "meeting_time": 0.3}),
            ("one worker 10× slower", {"stragglers": "1:10"}))


@page_table
def sweep(sim):
    rows = []
    for name, trouble in TROUBLES:
        for delivered in (0.1, 0.25, 0.5, 1, 2, 4):
            cells = []
            for n in (16, 64):
                common = {"graph": "ring", "workers": n, "delivered": delivered, "steps": 1000, **QUADRATIC, **trouble}
                cells += [three(sim.consensus(2, algorithm=A2CID2, clock=c, **common)) for c in ("wall", "adaptive")]
            rows.append((name or "none", delivered, " / ".join(cells[:2]), " / ".join(cells[2:])))
    return table(("trouble", "delivered / assumed", "ring of 16, wall / adaptive", "ring of 64, wall / adaptive"), rows)


FACTORS = ((1, 1), (1.2, 1), (1.4, 1), (2, 1), (3, 1), (1.2, 0.84), (1.4, 0.72), (2, 0.5), (1.4, 1.4), (2, 1.4), (3, 1.4))


@page_table
def constants(sim):
    rows = []
    for eta, alpha in FACTORS:
        cells = []
        for n, load in ((16, {"meeting_time": 0.02}), (16, {"meeting_time": 2}), (16, {"meeting_time": 2, "slow_edges": "0.25:5"}),
                        (64, {"meeting_time": 0.02}), (64, {"meeting_time": 2})):
            cells.append(count(sim.meetings(4, graph="ring", workers=n, algorithm=A2CID2, eta_factor=eta,
                                            alpha_tilde_factor=alpha, most_meetings=3000, **load)))
        for name, n in (("star", 16), ("exponential", 32), ("torus:4x4", 16), ("path", 16)):
            cells.append(count(sim.meetings(4, graph=name, workers=n, algorithm=A2CID2, eta_factor=eta,
                                            alpha_tilde_factor=alpha, most_meetings=3000)))
        rows.append((f"{eta:g}", f"{alpha:g}", *cells))
    return table(("η ×", "α̃ ×", "ring 16, 0.02", "ring 16, 2", "ring 16, 2, slow edges", "ring 64, 0.02", "ring 64, 2",
                  "star 16", "exponential 32", "torus 4x4", "path 16"), rows)


@page_table
def measured(sim):
    rows = []
    for delivered in (0.2, 0.3, 0.5, 0.7, 1):
        cells = [count(sim.meetings(4, graph="ring", workers=64, algorithm=A2CID2, clock="wall", pairing="memoryless",
                                    delivered=delivered, constants=which, most_meetings=1500)) for which in ("paper", "measured")]
        rows.append((delivered, *cells))
    return table(("meetings delivered / assumed", "constants of the graph", "constants measured"), rows)


@page_table
def wire(sim):
    rows = []
    for name, more in (("float32", {}), ("bf16", {"wire": "bf16"}), ("1 % torn, a tenth in flight", {"torn": "0.01:0.1"}),
                       ("10 % torn, a tenth in flight", {"torn": "0.1:0.1"})):
        common = {"graph": "ring", "workers": 16, "reduction": 0, "most_meetings": 300, **more}
        runs = [run for algorithm in (BASELINE, A2CID2) for run in [sim("gossip", 4, algorithm=algorithm, **common)["runs"]]]
        cells = []
        for of_algorithm in runs:
            drift = sum(run["invariant_drift"] for run in of_algorithm) / len(of_algorithm)
            wander = sum(run["mean_wander"] for run in of_algorithm) / len(of_algorithm)
            left = sum(math.sqrt(run["squared_distance"]) for run in of_algorithm) / len(of_algorithm)
            cells += [f"{drift:.1e}", f"{left:.1e}"] if of_algorithm is runs[0] else [f"{drift:.1e}", f"{wander:.1e}", f"{left:.1e}"]
        rows.append((name, *cells))
    return table(("wire", "baseline: drift of the mean", "distance left", "A²CiD²: drift of x + d + ½z", "of x + d", "distance left"), rows)


@page_table
def algorithms(sim):
    rows = []
    for text, more in (("all alike", {}), ("one worker 4× slower", {"stragglers": "1:4"}),
                       ("lognormal steps, deviation 1", {"compute": "lognormal", "spread": 1})):
        for algorithm in ("allreduce", "local-sgd", "dpsgd", BASELINE, A2CID2):
            rate = 0.125 if algorithm == "local-sgd" else 1
            summary = sim("train", 4, graph="ring", workers=16, algorithm=algorithm, rate=rate, objective="logistic",
                          learning_rate=0.05, steps=400, record_every=0.25, target_loss=0.55, dimension=32, **more)["summary"]
            reached = summary["reached_target"] == summary["runs"]
            rows.append((text, algorithm, f"{summary['seconds_to_target']:.0f}" if reached else NEVER,
                         f"{summary['loss']:.4f}", f"{summary['consensus']:.3g}"))
    return table(("workers", "algorithm", "time until the loss is 0.55, in steps", "loss, second half", "consensus distance"), rows)


@page_table
def heterogeneous(sim):
    rows = []
    for heterogeneity in (0, 1, 4):
        for algorithm in ("allreduce", "local-sgd", "dpsgd", BASELINE, A2CID2):
            rate = 0.125 if algorithm == "local-sgd" else 1
            summary = sim("train", 4, graph="ring", workers=32, algorithm=algorithm, rate=rate, heterogeneity=heterogeneity,
                          steps=600, curvature=0.05, noise=0.3, dimension=32)["summary"]
            rows.append((heterogeneity, algorithm, f"{summary['consensus']:.3g}", f"{summary['loss']:.2e}"))
    return table(("heterogeneity", "algorithm", "consensus distance", "loss of the mean, above the minimum"), rows)


class Trainer:
    """Calls duet-train, all workers in one process."""

    def __init__(self, program):
        self.program = str(program)

    def __call__(self, workers, seed, **options):
        words = ["--workers", str(workers), "--seed", str(seed), "--graph", "ring", "--no-metrics"]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            words += [flag] if value is True else [flag, f"{value}"]
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            done = subprocess.run([self.program, *words, "--report", str(report)], capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"duet-train {' '.join(words)}: {done.stderr.strip()}")
            return json.loads(report.read_text())


def second_half(report):
    """Root mean square of the consensus distance over the second half of the steps."""
    trace = report["trace"]
    late = [point["consensus_distance"] for point in trace if point["steps"] >= trace[-1]["steps"] / 2]
    squares = [value * value for value in late if value is not None]
    return math.sqrt(sum(squares) / len(squares))


def seconds_to(loss, report):
    """When the workers' mean loss was first at `loss`."""
    for point in report["trace"]:
        if point["loss"] is not None and point["loss"] <= loss:
            return point["seconds"]
    sys.exit(f"a run of {report['algorithm']} with seed {report['seed']} never came to a loss of {loss}")


def spread(values):
    return f"{statistics.mean(values):.3g} ± {statistics.stdev(values):.1g}" if len(values) > 1 else f"{values[0]:.3g}"


# Sleeps in each step: workers that share two processors are then as if each had a device of its own.
STEP = {"dataset": "digits", "step_time": 0.01}


@page_table
def real(sim):
    rows = []
    for algorithm, rate in ((BASELINE, 1), (BASELINE, 2), (A2CID2, 1)):
        reports = [sim.train(16, seed, algorithm=algorithm, rate=rate, epochs=100, constant_lr=True, **STEP)
                   for seed in range(1, 6)]
        rows.append((algorithm, rate, spread([second_half(report) for report in reports]),
                     spread([100 * report["final"]["test_accuracy"] for report in reports])))
    return table(("algorithm", "rate", "consensus distance, second half", "test accuracy, %"), rows)


@page_table
def straggler(sim):
    rows = []
    for text, more in (("all alike", {}), ("one worker 4× slower", {"straggler": "5:4"})):
        taken = {algorithm: [seconds_to(0.1, sim.train(8, seed, algorithm=algorithm, epochs=30, **STEP, **more))
                             for seed in range(1, 6)] for algorithm in ("allreduce", A2CID2)}
        ratio = statistics.mean(taken["allreduce"]) / statistics.mean(taken[A2CID2])
        rows.append((text, spread(taken["allreduce"]), spread(taken[A2CID2]), f"{ratio:.2f}"))
    return table(("workers", "allreduce, s", "A²CiD², s", "ratio"), rows)


@page_table
def transformer(sim):
    rows = []
    for algorithm in ("allreduce", "dpsgd", BASELINE, A2CID2):
        losses = [sim.train(8, seed, dataset="text", optimizer="adamw", algorithm=algorithm, epochs=30)["final"]["test_loss"]
                  for seed in range(1, 4)]
        rows.append((algorithm, spread(losses)))
    return table(("algorithm", "loss on the text's last tenth"), rows)


def write(name, text):
    page = PAGE.read_text(encoding="utf-8")
    marker = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    page, found = marker.subn(lambda match: match.group(1) + text + "\n" + match.group(2), page)
    if found != 1:
        sys.exit(f"{PAGE}: {found} places for the table '{name}', there must be one")
    PAGE.write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=SOURCE / "build" / "release" / "bin" / "duet-sim")
    parser.add_argument("--only", help="tables, with commas")
    parser.add_argument("--list", action="store_true", help="which tables there are")
    parser.add_argument("--print", action="store_true", help="do not write them into the page")
    parser.add_argument("--jobs", type=int, default=0, help="runs at a time; 0: one for each processor")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(TABLES))
        return
    names = arguments.only.split(",") if arguments.only else list(TABLES)
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        parser.error(f"unknown table {', '.join(unknown)}; there are {', '.join(TABLES)}")
    for program in [arguments.program] + [
            arguments.program.with_name(name) for name, tables in (("duet-train", {"real", "straggler", "transformer"}), ("duet-plot", {"curves"}))
            if tables & set(names)
    ]:
        if not program.exists():
            parser.error(f"{program} is not there: cmake --build --preset release --target {program.name}")
    sim = Simulator(arguments.program, arguments.jobs)
    for name in names:
        text = TABLES[name](sim)
        print(f"{name}\n{text}\n", flush=True)
        if not arguments.print:
            write(name, text)


if __name__ == "__main__":
    main()
