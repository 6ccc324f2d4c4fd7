"""Exporters of real workers: port conflicts, what libduet.so is linked with, an exporter that is not there."""

import json
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402
from harness import free_ports  # noqa: E402
from prometheus import get  # noqa: E402
from trainers import Run  # noqa: E402


class Library(unittest.TestCase):
    def test_libduet_knows_nothing_of_prometheus(self):
        linked = subprocess.run(["ldd", harness.BUILD / "lib" / "libduet.so"], capture_output=True, text=True, check=True).stdout
        self.assertNotRegex(linked, "prometheus|httplib")
        linked = subprocess.run(
            ["ldd", harness.BUILD / "lib" / "libduet_exporter.so"], capture_output=True, text=True, check=True
        ).stdout
        self.assertRegex(linked, "prometheus")


class Ports(unittest.TestCase):
    def test_two_runs_on_the_same_ports_both_train_and_export(self):
        port = free_ports(2)
        with Run(2, DUET_METRICS_PORT=port, DUET_TELEMETRY_PORT=0) as first:
            first.wait_for(lambda: get(f"http://127.0.0.1:{port + 1}/metrics") and get(f"http://127.0.0.1:{port}/metrics"))
            with Run(2, DUET_METRICS_PORT=port, DUET_TELEMETRY_PORT=0) as second:
                pattern = r"metrics cannot be where they were asked for .* they are at (http://\S+/metrics) instead"
                urls = second.wait_for(lambda: len(found := re.findall(pattern, second.text())) == 2 and found)
                for url in urls:
                    steps = re.search(r"^duet_gradient_steps_total (\d+)", get(url), re.M)
                    self.assertIsNotNone(steps)
                    second.wait_for(
                        lambda url=url, before=int(steps[1]): int(re.search(r"^duet_gradient_steps_total (\d+)", get(url), re.M)[1])
                        > before
                    )
                time.sleep(1)
                self.assertEqual(len(re.findall(pattern, second.text())), 2, "one warning a worker")
                # They name each other all the same.
                groups = json.loads(get(urls[0].replace("/metrics", "/sd")))
                self.assertEqual({f"http://{group['targets'][0]}/metrics" for group in groups}, set(urls))


if __name__ == "__main__":
    unittest.main(verbosity=2)
