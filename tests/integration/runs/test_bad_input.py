#!/usr/bin/env python3
"""Bad input is one clear error that says what to do, an exit code other than 0, and nobody left hanging."""

import pathlib
import socket
import tempfile
import time
import unittest

import harness


class BadInput(unittest.TestCase):
    def refused(self, done, *words, seconds=10.0, started=None):
        text = done.stdout + done.stderr
        self.assertNotEqual(done.returncode, 0, text)
        for word in words:
            self.assertIn(word, text)
        if started is not None:
            self.assertLess(time.monotonic() - started, seconds + 5.0, "somebody was left hanging")

    def gossip(self, *arguments, workers=3, **env):
        started = time.monotonic()
        done = harness.run_workers(workers, "duet-gossip", *arguments, timeout=60, **env)
        return done, started

    def test_unknown_graph(self):
        done, started = self.gossip("--graph", "triangle")
        self.refused(done, "triangle", "ring", started=started)

    def test_disconnected_graph(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "graph"
            path.write_text("0 1\n2 3\n")
            done, started = self.gossip("--graph", f"file:{path}", workers=4)
        self.refused(done, "connected", started=started)

    def test_rate_of_zero(self):
        done, started = self.gossip("--graph", "ring", DUET_RATE="0")
        self.refused(done, "rate", started=started)

    def test_missing_plugin(self):
        done, started = self.gossip("--transport", "pigeon")
        self.refused(done, "pigeon", "libduet_transport_pigeon.so", started=started)

    def test_port_taken(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            done, started = self.gossip(DUET_RENDEZVOUS=f"seed://127.0.0.1:{port}")
            self.refused(done, str(port), seconds=12.0, started=started)

    def test_one_worker_has_nobody_to_meet(self):
        self.refused(harness.run(harness.BIN / "duet-gossip"), "one worker")
        self.refused(harness.run(harness.BIN / "duet-gossip", "--workers", 1), "one worker")
        self.refused(harness.run(harness.BIN / "duet-info", "topology", "--graph", "ring", "--workers", 1), "1")

    def test_unknown_flag(self):
        self.refused(harness.run(harness.BIN / "duet-gossip", "--frobnicate"), "frobnicate")

    def test_garbage_in_the_environment(self):
        self.refused(harness.run(harness.BIN / "duet-quadratic", DUET_RATE="fast"), "DUET_RATE", "fast")

    def test_quadratic_alone_and_together(self):
        alone = harness.run(harness.BIN / "duet-quadratic", 200)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        together = harness.run_workers(4, "duet-quadratic", 1500)
        self.assertEqual(together.returncode, 0, together.stderr)
        self.assertIn("4 workers", together.stdout)
        started, ended = (float(together.stdout.split(word)[1].split()[0]) for word in ("started ", "ended "))
        self.assertLess(ended, 0.2 * started)

    def test_the_library_pulls_in_none_of_the_heavy_ones(self):
        libraries = list((harness.BUILD / "lib").glob("libduet.so"))
        self.assertTrue(libraries)
        linked = harness.run("ldd", libraries[0]).stdout.lower()
        for name in ("torch", "qt", "cuda", "nccl", "prometheus"):
            self.assertNotIn(name, linked)


if __name__ == "__main__":
    unittest.main(verbosity=2)
