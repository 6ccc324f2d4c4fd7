#!/usr/bin/env python3
"""What needs no LibTorch: the quadratic, alone and together, and what the library pulls in."""

import unittest

import harness

WHOLE = 1500  # steps


def distances(done):
    """(from the optimum at the start, at the end)."""
    assert done.returncode == 0, done.stderr
    return tuple(float(done.stdout.split(word)[1].split()[0]) for word in ("started ", "ended "))


class Alone(unittest.TestCase):
    """Needs no transport."""

    def test_the_quadratic_converges(self):
        done = harness.run(harness.BIN / "duet-quadratic", WHOLE)
        self.assertIn("1 workers, 0 meetings", done.stdout)
        started, ended = distances(done)
        self.assertLess(ended, 0.2 * started)
        # More steps come closer: it is the steps that do it.
        _, early = distances(harness.run(harness.BIN / "duet-quadratic", 5))
        self.assertGreater(early, 2 * ended)

    def test_the_library_pulls_in_none_of_the_heavy_ones(self):
        libraries = list((harness.BUILD / "lib").glob("libduet.so"))
        self.assertTrue(libraries)
        linked = harness.run("ldd", libraries[0]).stdout.lower()
        self.assertIn("libzmq", linked)
        for name in ("torch", "qt", "cuda", "nccl", "prometheus"):
            self.assertNotIn(name, linked)


class Together(unittest.TestCase):
    def test_the_quadratic_converges(self):
        alone = distances(harness.run(harness.BIN / "duet-quadratic", WHOLE))[1]
        done = harness.run_workers(4, "duet-quadratic", WHOLE)
        self.assertIn("4 workers", done.stdout)
        started, ended = distances(done)
        self.assertLess(ended, 0.2 * started)
        # Four average their noise away: half of it is left of it in theory.
        print(f"alone {alone:.3f}, together {ended:.3f} from the optimum", flush=True)
        self.assertLess(ended, 0.8 * alone)

    def test_the_synchronous_algorithms_converge_as_well(self):
        for algorithm, rate in (("allreduce", 1), ("dpsgd", 1), ("local-sgd", 0.125)):
            with self.subTest(algorithm=algorithm):
                done = harness.run_workers(4, "duet-quadratic", WHOLE, DUET_ALGORITHM=algorithm, DUET_RATE=rate)
                self.assertIn("4 workers", done.stdout)
                started, ended = distances(done)
                self.assertLess(ended, 0.2 * started)


if __name__ == "__main__":
    unittest.main(verbosity=2)
