"""What the tests of whole programs share: where the programs are, running them with deadlines, finding their workers."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ["DUET_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[3]
BIN = BUILD / "bin"
sys.path.insert(0, str(SOURCE / "tests"))
from machine import machine_and_date  # noqa: E402

FULL = "DUET_TEST_FULL" in os.environ


def count(quick, full):
    """How many: what fits into a short run, or with DUET_TEST_FULL all of it."""
    return full if FULL else quick


def write_figures(name, **figures):
    """For docs/benchmarks.md (tests/bench/figures.py): what a proof measured."""
    folder = BUILD / "figures"
    folder.mkdir(exist_ok=True)
    text = json.dumps({"where": f"{machine_and_date()}; load average at the end {os.getloadavg()[0]:.1f}."} | figures, indent=1)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def free_ports(count=1):
    """The first of so many in a row, for workers that count up from it. Below those that the kernel gives to outgoing
    connections: one of the run's own could take it before it is listened on. Below Duet's own defaults, too."""
    for _ in range(1000):
        first = random.SystemRandom().randrange(15000, 29000 - count)
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError(f"no {count} free ports in a row")


def environment(**more):
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("DUET_", "SLURM_", "OMPI_", "PMI"))}
    for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        clean.pop(key, None)
    return clean | {key: str(value) for key, value in more.items()}


def run(*command, timeout=120, **env):
    """Runs a program to its end. Kills it, with all its children, at the timeout."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**env),
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"{command} was still running after {timeout} s:\n{out[-2000:]}\n{err[-4000:]}") from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def run_workers(count_, program, *arguments, timeout=120, **env):
    return run(BIN / "duet-run", "-n", count_, "--", BIN / program, *arguments, timeout=timeout, **env)


def start_workers(count_, program, *arguments, log, **env):
    """Starts workers and returns at once; output goes to the open file `log`."""
    return subprocess.Popen(
        [str(part) for part in (BIN / "duet-run", "-n", count_, "--", BIN / program, *arguments)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment(**env),
        start_new_session=True,
    )


def worker_process(launcher, rank):
    """Process id of the worker with this rank, a child of duet-run."""
    for task in pathlib.Path(f"/proc/{launcher.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            variables = pathlib.Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            if f"DUET_RANK={rank}".encode() in variables:
                return int(child)
    raise AssertionError(f"no worker with rank {rank}")


def wait_until(condition, timeout, what):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {timeout} s")


def gossip(workers, *arguments, timeout=180):
    """A gossip run over real processes; its JSON."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "gossip.json"
        done = run_workers(workers, "duet-gossip", *arguments, "--report", report, timeout=timeout)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr[-4000:]}"
        return json.loads(report.read_text())
