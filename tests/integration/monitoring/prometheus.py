"""A real Prometheus for the tests: started on loopback with a configuration of its own, asked over its API, ended by its id."""

import json
import pathlib
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from harness import free_ports

PROMETHEUS = shutil.which("prometheus")


def get(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


class Prometheus:
    def __init__(self, folder, config, rules=()):
        self.folder = pathlib.Path(folder)
        self.port = free_ports()
        (self.folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        for rule in rules:
            shutil.copy(rule, self.folder)
        self.log = open(self.folder / "prometheus.log", "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [
                PROMETHEUS,
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self):
        self.wait(lambda: get(f"http://127.0.0.1:{self.port}/-/ready"), 60, "Prometheus to be ready")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def wait(self, what, seconds, name):
        """Until it returns something true; what it raises counts as not yet."""
        deadline = time.monotonic() + seconds
        problem = None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError("Prometheus ended: " + (self.folder / "prometheus.log").read_text()[-2000:])
            try:
                result = what()
                if result:
                    return result
                problem = result
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                problem = error
            time.sleep(0.2)
        raise AssertionError(f"waited {seconds} s for {name}: {problem}")

    def api(self, path, **parameters):
        answer = json.loads(get(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression, **parameters):
        return self.api("query", query=expression, **parameters)["result"]

    def value(self, expression):
        result = self.query(expression)
        assert len(result) == 1, f"{expression}: {result}"
        return float(result[0]["value"][1])

    def live_targets(self):
        return [target for target in self.api("targets", state="active")["activeTargets"] if target["health"] == "up"]
