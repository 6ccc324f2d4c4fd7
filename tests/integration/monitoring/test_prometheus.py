"""A real Prometheus scrapes eight workers of a real run, found through /sd: its rates against the workers' own counts, and
every expression of the dashboard and of the rules."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "runs"))
import harness  # noqa: E402
from harness import free_ports  # noqa: E402
from prometheus import PROMETHEUS, Prometheus, get  # noqa: E402
from trainers import Run  # noqa: E402

GRAFANA = harness.SOURCE / "monitor" / "grafana"
WORKERS = 8
MINUTE = int(os.environ.get("DUET_TEST_SECONDS", "62"))  # rate1m looks back this long

# What returns nothing in a run where nothing is wrong, and why.
EMPTY = {
    "alerts": "an alert's expression returns what is wrong: alerts_test.yml shows that each one can",
}
# What duet-exporter alone has.
OF_THE_PROGRAM = {"duet_worker_up"}


def own_counts(port):
    """Meetings of all workers, each counted at both ends, from their own pages."""
    total = 0
    for worker in range(WORKERS):
        page = json.loads(get(f"http://127.0.0.1:{port + worker}/edges"))
        total += sum(edge["pairings"] for edge in page["edges"])
    return total


def config(port):
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["recording_rules.yml", "alerts.yml"],
        "scrape_configs": [
            {
                "job_name": "duet",
                # Two of them, as prometheus.yml has it: what both name counts once.
                "http_sd_configs": [
                    {"url": f"http://127.0.0.1:{port}/sd", "refresh_interval": "1s"},
                    {"url": f"http://127.0.0.1:{port + 1}/sd", "refresh_interval": "1s"},
                ],
            }
        ],
    }


@unittest.skipUnless(PROMETHEUS, "prometheus is not installed (apt install prometheus)")
class RealRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        cls.port = free_ports(WORKERS)
        # Until the test ends it.
        training = ("--dataset", "digits", "--epochs", 1_000_000, "--metrics-port", cls.port)
        cls.run_ = Run(WORKERS, "duet-train", *training, DUET_TELEMETRY_PORT=0)
        cls.prometheus = Prometheus(folder, config(cls.port), [GRAFANA / "recording_rules.yml", GRAFANA / "alerts.yml"])
        try:
            cls.prometheus.__enter__()
            cls.prometheus.wait(lambda: len(cls.prometheus.live_targets()) == WORKERS, 240, "all workers to be scraped")
            start, began = own_counts(cls.port), time.time()
            time.sleep(MINUTE)
            end, ended = own_counts(cls.port), time.time()
            cls.own_rate = (end - start) / 2 / (ended - began)
            # Until Prometheus has scraped the end of that minute, and the rule has looked at it.
            time.sleep(2)
            cls.rate = cls.prometheus.value("job:duet_pairings:rate1m")
        except BaseException:
            print(cls.run_.text()[-3000:])
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.prometheus.__exit__()
        cls.run_.__exit__()
        cls.folder.cleanup()

    def test_targets_have_rank_and_run(self):
        targets = self.prometheus.live_targets()
        self.assertEqual({target["labels"]["rank"] for target in targets}, {str(rank) for rank in range(WORKERS)})
        self.assertEqual(len({target["labels"]["run_id"] for target in targets}), 1)
        self.assertEqual(len(targets), WORKERS, "each counts once, although two workers name it")

    def test_the_runs_rate_agrees_with_the_workers_own_counts(self):
        """Over the same minute: counted by the workers themselves, twice each, and by Prometheus."""
        self.assertGreater(self.own_rate, 1.0, "the workers hardly met")
        print(f"meetings per second: {self.own_rate:.2f} counted by the workers, {self.rate:.2f} by Prometheus")
        harness.write_figures("prometheus", own_rate=self.own_rate, rate=self.rate)
        self.assertAlmostEqual(self.rate / self.own_rate, 1.0, delta=0.05)

    def test_every_rule_has_data(self):
        groups = self.prometheus.api("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreaterEqual(len(rules), 16)
        for rule in rules:
            self.assertEqual(rule["health"], "ok", f"{rule['name']}: {rule.get('lastError')}")
            if rule["type"] == "recording":
                self.assertTrue(self.prometheus.query(rule["name"]), f"{rule['name']} has no data")
            else:
                # Each operand has data, although the comparison leaves nothing.
                self.assertEqual(self.prometheus.query(rule["query"]), [], f"{rule['name']} fires: {EMPTY['alerts']}")
                for metric in set(re.findall(r"[a-z_:]*duet_[a-z0-9_:]+|\bup\b", rule["query"])) - OF_THE_PROGRAM:
                    self.assertTrue(self.prometheus.query(metric), f"{rule['name']}: {metric} has no data")

    def test_every_expression_of_the_dashboard_has_data(self):
        dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
        asked = 0
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$__rate_interval", "20s")
                for variable, value in (("$job", "duet"), ("$run_id", ".*"), ("$rank", ".*")):
                    expression = expression.replace(variable, value)
                self.assertNotIn("$", expression)
                self.assertTrue(self.prometheus.query(expression), f"{panel['title']}: {expression} has no data")
                asked += 1
        self.assertGreater(asked, 25)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            selector = selector.replace("$job", ".*").replace("$run_id", ".*")
            values = {series.get(label) for series in self.prometheus.api("series", **{"match[]": selector})}
            self.assertTrue(values - {None}, variable["name"])

    def test_the_metrics_are_clean(self):
        page = get(f"http://127.0.0.1:{self.port}/metrics")
        result = subprocess.run(
            [shutil.which("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, timeout=60
        )
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""), page)

    def test_consensus_distance_is_the_same_wherever_it_is_asked(self):
        self.assertTrue(self.prometheus.query("duet_consensus_distance > 0"))
        self.assertEqual(len(self.prometheus.query("duet_distance_to_mean")), WORKERS)
        self.assertEqual(self.prometheus.value("max(duet_topology_components)"), 1)
        self.assertEqual(self.prometheus.value("max(duet_membership_epoch)"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
