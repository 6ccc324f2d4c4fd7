#!/usr/bin/env python3
"""A peer is killed or stopped in mid-meeting: the other has its error, naming the peer, within deadline + 1 s, and goes on.

The workers' own limit on everything in a meeting is DEADLINE; liveness, which would notice too, is set far slower. One of
them is taken at a random moment. That it was in a meeting is known from the meeting that broke off for it; a survivor that
hangs instead of noticing does not go on meeting the others, and that is what is looked at first.
"""

import os
import random
import signal
import time
import unittest

import restless
from restless import harness

DEADLINE = 1.0
BOUND = DEADLINE + 1.0
ELEMENTS = 6 * 1024 * 1024  # 24 MiB: a meeting takes a while
WORKERS = 5
GONE_AFTER = 12.0


class Tally:
    def __init__(self):
        self.taken = 0
        self.delays = []  # of the survivor's error, when the victim was in a meeting


class KillInMeeting(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("DUET_TEST_SEED", time.time()))
        print(f"DUET_TEST_SEED={seed}", flush=True)
        self.chance = random.Random(seed)

    def start(self, transport):
        run = restless.Run(
            WORKERS,
            ELEMENTS,
            DUET_TRANSPORT=transport,
            DUET_MEETING_TIMEOUT=DEADLINE,
            DUET_CONNECT_TIMEOUT=DEADLINE,
            DUET_GONE_AFTER=GONE_AFTER,
        )
        try:
            run.wait_until_all_meet(60)
        except BaseException:
            run.end()
            raise
        return run

    def take_one(self, run, number, tally):
        """Signals a random worker at a random moment, and looks at what becomes of the others."""
        time.sleep(self.chance.uniform(0.0, 0.4))
        victim = self.chance.choice(run.living())
        victim.alive = False
        moment = time.monotonic()
        victim.signal(number)
        tally.taken += 1
        survivors = run.living()
        ranks = {worker.rank for worker in survivors}
        for worker in survivors:
            # The bound is for its error; the meeting that shows that it goes on takes its own time.
            went_on = worker.wait_for(lambda: worker.met(ranks - {worker.rank}, moment + 0.001), moment + BOUND + 3.0)
            self.assertTrue(went_on, f"rank {worker.rank} met nobody after rank {victim.rank} was taken\n{run.said()}")
        # Whoever was with the victim has its error by now: nobody's comes later than this.
        time.sleep(max(0.0, moment + BOUND - time.monotonic()))
        broken = [(worker, *line) for worker in survivors for line in worker.broken_meetings(victim.rank, moment)]
        for worker, when, text in broken:
            self.assertLessEqual(when - moment, BOUND, f"{text}\n{run.said()}")
            self.assertRegex(text, rf"rank {worker.rank}: a meeting with rank {victim.rank} broke off: .*rank {victim.rank}\b")
        self.assertLessEqual(len(broken), 1, f"{broken}\nit was in one meeting at most")
        if broken:
            tally.delays.append(broken[0][1] - moment)
        return victim

    def check_the_innocent(self, run):
        """Nobody was thought lost, or had a meeting broken off, but the victims."""
        gone = {worker.rank for worker in run.workers if not worker.alive}
        for worker in run.living():
            for _, text in worker.logs:
                for other in run.living():
                    self.assertNotRegex(text, rf"lost rank {other.rank}\b", f"{gone} were taken\n{run.said()}")

    def report(self, what, tally):
        worst = max(tally.delays)
        print(
            f"{what}: {tally.taken} taken, {len(tally.delays)} of them in a meeting; the survivor's error came after "
            f"{sorted(tally.delays)[len(tally.delays) // 2]:.3f} s (median), {worst:.3f} s (worst; allowed {BOUND} s)",
            flush=True,
        )

    def kill(self, transport, wanted):
        tally = Tally()
        while len(tally.delays) < wanted:
            with self.start(transport) as run:
                while len(run.living()) > 2 and len(tally.delays) < wanted:
                    self.take_one(run, signal.SIGKILL, tally)
                self.check_the_innocent(run)
                run.leave()
        self.report(f"{transport}, SIGKILL", tally)

    def stop(self, transport, wanted):
        tally = Tally()
        with self.start(transport) as run:
            while len(tally.delays) < wanted:
                victim = self.take_one(run, signal.SIGSTOP, tally)
                victim.signal(signal.SIGCONT)
                victim.alive = True
                # It was away for less than GONE_AFTER: it is still one of them.
                run.wait_until_all_meet(DEADLINE + 6.0, after=time.monotonic())
            self.check_the_innocent(run)
            run.leave()
        self.report(f"{transport}, SIGSTOP", tally)

    def each(self, act, wanted):
        for transport, file in restless.free_transports():
            with self.subTest(transport=transport):
                if not file.exists():
                    print(f"{transport}: skipped, {file} is not built", flush=True)
                    continue
                act(transport, wanted)

    def test_sigkill(self):
        self.each(self.kill, harness.count(5, 100))

    def test_sigstop(self):
        self.each(self.stop, harness.count(5, 100))


if __name__ == "__main__":
    unittest.main(verbosity=2)
