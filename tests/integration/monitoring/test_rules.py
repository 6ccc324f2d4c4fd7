"""monitor/grafana as promtool and Grafana would read it; nothing is started."""

import json
import pathlib
import re
import shutil
import subprocess
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[3]
GRAFANA = SOURCE / "monitor" / "grafana"
PROMTOOL = shutil.which("promtool")


def promtool(*arguments):
    return subprocess.run([PROMTOOL, *arguments], cwd=GRAFANA, capture_output=True, text=True, timeout=60)


@unittest.skipUnless(PROMTOOL, "promtool is not installed (apt install prometheus)")
class Rules(unittest.TestCase):
    def test_are_clean(self):
        result = promtool("check", "rules", "--lint-fatal", "recording_rules.yml", "alerts.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_fire_when_they_should_and_only_then(self):
        result = promtool("test", "rules", "alerts_test.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_one_is_tested(self):
        tests = (GRAFANA / "alerts_test.yml").read_text()
        for file in ("recording_rules.yml", "alerts.yml"):
            for name in re.findall(r"- (?:alert|record): (\S+)", (GRAFANA / file).read_text()):
                self.assertIn(name, tests, f"{file}: {name} has no test")

    def test_the_configuration_is_clean(self):
        result = promtool("check", "config", "prometheus.yml")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class Dashboard(unittest.TestCase):
    def setUp(self):
        self.dashboard = json.loads((GRAFANA / "dashboard.json").read_text())
        self.panels = [panel for panel in self.dashboard["panels"] if panel["type"] != "row"]

    def test_has_a_fixed_identity_and_asks_for_its_data_source(self):
        self.assertEqual(self.dashboard["uid"], "duet-run")
        variables = {variable["name"]: variable for variable in self.dashboard["templating"]["list"]}
        self.assertEqual(variables["datasource"]["type"], "datasource")
        for panel in self.panels:
            self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"]["uid"], "${datasource}", panel["title"])

    def test_has_panels_of_the_kinds_that_are_maintained(self):
        self.assertLessEqual({panel["type"] for panel in self.panels}, {"timeseries", "stat", "heatmap", "nodeGraph"})
        self.assertEqual(len({panel["id"] for panel in self.dashboard["panels"]}), len(self.dashboard["panels"]))

    def test_rates_follow_the_scrape_interval(self):
        for panel in self.panels:
            for target in panel["targets"]:
                for window in re.findall(r"\[([^]]+)\]", target["expr"]):
                    self.assertEqual(window, "$__rate_interval", target["expr"])

    def test_panels_lie_beside_each_other(self):
        taken = {}
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} covers {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_names_only_metrics_that_are_exported(self):
        code = "".join(file.read_text() for file in (SOURCE / "monitor" / "exporter").rglob("*.cc"))
        known = set(re.findall(r'"((?:duet|process)_[a-z0-9_]+)"', code))
        texts = [target["expr"] for panel in self.panels for target in panel["targets"]]
        texts += [(GRAFANA / file).read_text() for file in ("recording_rules.yml", "alerts.yml")]
        for text in texts:
            for name in re.findall(r"(?<![:a-z_])((?:duet|process)_[a-z0-9_]+)(?=[{\[) ])", text):
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in known or base in known, f"{name} in {text}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
