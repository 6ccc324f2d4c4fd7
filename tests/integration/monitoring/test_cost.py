"""What scrapers, well-behaved and hostile, cost the trainer's thread: its processor time per step, with and without them in
turns, in one run. (Wall time tells nothing on a shared machine.)"""

import pathlib
import re
import socket
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402
from harness import free_ports  # noqa: E402
from prometheus import get  # noqa: E402
from trainers import Run  # noqa: E402

ROUNDS = harness.count(12, 40)
SECONDS = 1.5
BOUND = 1.02


class Crowd:
    """Scrapes, half-open connections, garbage, TLS and large bodies, until the end of the block."""

    def __init__(self, port):
        self.port = port
        self.over = threading.Event()
        self.threads = [threading.Thread(target=work) for work in (self.scrape, self.scrape_all_at_once)]
        self.threads += [threading.Thread(target=self.annoy, args=(i,)) for i in range(4)]
        self.scrapes = 0

    def scrape(self):
        # Ten a second: a hundred times as often as anybody needs.
        while not self.over.wait(0.1):
            try:
                get(f"http://127.0.0.1:{self.port}/metrics")
                self.scrapes += 1
            except OSError:
                pass

    def scrape_all_at_once(self):
        while not self.over.wait(0.5):
            many = []
            try:
                for _ in range(200):
                    many.append(socket.create_connection(("127.0.0.1", self.port), timeout=1))
                    many[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                self.over.wait(0.2)
            except OSError:
                pass
            finally:
                for one in many:
                    one.close()

    def annoy(self, which):
        bytes_ = [b"", b"GET /met", b"\x16\x03\x01\x02\x00\x01\x00", b"POST / HTTP/1.1\r\nContent-Length: 10485760\r\n\r\n" + b"x" * 100_000]
        while not self.over.wait(0.2):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as one:
                    one.sendall(bytes_[which])
                    self.over.wait(0.5)
            except OSError:
                pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Cost(unittest.TestCase):
    def test_of_a_crowd_is_within_two_percent(self):
        port = free_ports(2)
        with Run(2, harness.BUILD / "tests" / "steady_worker", DUET_METRICS_PORT=port, DUET_TELEMETRY_PORT=0) as run:
            run.wait_for(lambda: get(f"http://127.0.0.1:{port}/metrics"))
            process = harness.worker_process(run.process, 0)
            task = pathlib.Path(f"/proc/{process}/task/{process}/schedstat")

            def steps():
                return int(re.search(r"^duet_gradient_steps_total (\d+)", get(f"http://127.0.0.1:{port}/metrics"), re.M)[1])

            def cost_of_a_step():
                before, cpu = steps(), int(task.read_text().split()[0])
                time.sleep(SECONDS)
                after, later = steps(), int(task.read_text().split()[0])
                self.assertGreater(after, before, "training stands still")
                return (later - cpu) / (after - before)

            cost_of_a_step()  # warms up
            quiet, crowded, scrapes = [], [], 0
            for turn in range(ROUNDS):
                # Either one first in turns: a machine that becomes faster or slower meanwhile favours neither.
                for with_crowd in (turn % 2 == 0, turn % 2 != 0):
                    if not with_crowd:
                        quiet.append(cost_of_a_step())
                        continue
                    with Crowd(port) as crowd:
                        crowded.append(cost_of_a_step())
                    scrapes += crowd.scrapes
            self.assertGreater(scrapes, 2 * ROUNDS, "the scraper was not served")
            ratio = statistics.median(crowded) / statistics.median(quiet)
            print(
                f"processor time of a step with a crowd at the exporter, to that without: {ratio:.4f} "
                f"({statistics.median(quiet) / 1e6:.3f} ms; medians of {ROUNDS}, {scrapes} scrapes served)"
            )
            harness.write_figures("exporter", crowd_to_quiet=ratio, rounds=ROUNDS)
            self.assertLess(ratio, BOUND, (quiet, crowded))


if __name__ == "__main__":
    unittest.main(verbosity=2)
