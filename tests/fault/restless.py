"""Runs of workers that meet all the time (restless_worker.cc), seen from outside while peers are taken from them."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration" / "runs"))
import harness  # noqa: E402

PROGRAM = harness.BUILD / "tests" / "restless_worker"


class Worker:
    """One process, and what it has said so far; a thread of ours reads along, so that a time is a time."""

    def __init__(self, rank, elements, variables, prefix=()):
        self.rank = rank
        self.alive = True
        self.meetings = []  # (peer, begin, end), by end
        self.logs = []  # (time, text)
        self.rest = []  # other output, such as a crash's
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [*prefix, str(PROGRAM), str(elements)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=harness.environment(**(variables | {"DUET_RANK": rank})),
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            kind, _, rest = line.rstrip("\n").partition(" ")
            with self.changed:
                if kind == "met":
                    peer, begin, end = rest.split()
                    self.meetings.append((int(peer), float(begin), float(end)))
                elif kind == "log":
                    when, _, text = rest.partition(" ")
                    self.logs.append((float(when), text))
                else:
                    self.rest.append(line)
                self.changed.notify_all()
        self.process.wait()
        with self.changed:
            self.changed.notify_all()

    def signal(self, number):
        self.process.send_signal(number)

    def wait_for(self, condition, until):
        """Whether condition() became true, at the latest at the monotonic time `until`. Called with the lock held."""
        with self.changed:
            return self.changed.wait_for(condition, max(0.0, until - time.monotonic()))

    def met(self, peers, after):
        return any(end > after and peer in peers for peer, _, end in reversed(self.meetings[-200:]))

    def broken_meetings(self, peer, after):
        """(time, text) of each meeting with `peer` that broke off."""
        with self.changed:
            lines = [(when, text) for when, text in self.logs if when >= after]
        return [(when, text) for when, text in lines if re.search(rf"a meeting with rank {peer} broke off", text)]

    def said(self):
        with self.changed:
            return "".join(f"rank {self.rank}: {when:.3f} {text}\n" for when, text in self.logs[-12:]) + "".join(self.rest[-30:])

    def leave(self, timeout=10.0):
        """In order. Its exit code."""
        self.process.stdin.close()
        return self.process.wait(timeout)

    def end(self):
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.reader.join(5.0)
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


class Run:
    """All of them, on one machine, or each behind a prefix of its own such as `ip netns exec`."""

    def __init__(self, count, elements, prefixes=None, per_worker=None, **variables):
        variables = {
            "DUET_WORLD_SIZE": count,
            "DUET_GRAPH": "complete",
            "DUET_RENDEZVOUS": f"seed://127.0.0.1:{harness.free_ports()}",
            "DUET_JOIN_TIMEOUT": 60,
            "DUET_TELEMETRY_INTERVAL": 0,
        } | variables
        self.workers = []
        try:
            for rank in range(count):
                own = per_worker(rank) if per_worker else {}
                self.workers.append(Worker(rank, elements, variables | own, prefixes[rank] if prefixes else ()))
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def living(self):
        return [worker for worker in self.workers if worker.alive]

    def said(self):
        return "".join(worker.said() for worker in self.workers)

    def wait_until_all_meet(self, seconds, after=0.0):
        """Every living worker with another living one."""
        until = time.monotonic() + seconds
        for worker in self.living():
            others = {other.rank for other in self.living() if other is not worker}
            worker.wait_for(lambda: worker.met(others, after) or worker.process.poll() is not None, until)
            if not worker.met(others, after):
                raise AssertionError(f"rank {worker.rank} did not meet anyone within {seconds} s\n{self.said()}")

    def leave(self):
        for worker in self.living():
            code = worker.leave()
            if code != 0:
                raise AssertionError(f"rank {worker.rank} left with exit code {code}\n{worker.said()}")

    def end(self):
        for worker in self.workers:
            worker.end()


def free_transports():
    """What workers of one machine can meet over: (name, file that must be there)."""
    folder = harness.BUILD / "lib" / "duet"
    known = [("libfabric:tcp", folder / "libduet_transport_libfabric.so"), ("unix", folder / "libduet_transport_unix.so")]
    chosen = os.environ.get("DUET_TEST_TRANSPORTS")
    return [(name, file) for name, file in known if chosen is None or name in chosen.split(",")]
