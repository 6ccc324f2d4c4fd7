#!/usr/bin/env python3
"""Workers on hosts of their own: network namespaces, each with its own address, joined by a bridge."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fault"))
import restless  # noqa: E402
from network import Network, NotPermitted  # noqa: E402
from restless import harness  # noqa: E402

DEADLINE = 1.0
GONE_AFTER = 10.0


def settings(network, count, bind=None, **more):
    """Variables of each rank: one on each host."""
    return [
        {
            "DUET_RANK": rank,
            "DUET_WORLD_SIZE": count,
            "DUET_BIND": bind or network.address(rank),
            "DUET_RENDEZVOUS": f"seed://{network.address(0)}:29650",
            "DUET_SECRET": "only the cluster knows",
            "DUET_JOIN_TIMEOUT": 30,
            "DUET_TRANSPORT": "libfabric:tcp",
        }
        | more
        for rank in range(count)
    ]


class Namespaces(unittest.TestCase):
    def network(self, hosts):
        try:
            return self.enterContext(Network(hosts))
        except NotPermitted as reason:
            self.skipTest(str(reason))

    def run_all(self, network, variables, *command, timeout=90):
        """The command on each host at the same time; (exit code, output) of each. Nothing is left running."""
        files = [self.enterContext(tempfile.TemporaryFile("w+")) for _ in variables]
        processes = []
        try:
            for rank, own in enumerate(variables):
                line = [*network.on(rank), *[str(part) for part in command]]
                processes.append(
                    subprocess.Popen(line, stdout=files[rank], stderr=subprocess.STDOUT, env=harness.environment(**own))
                )
            until = time.monotonic() + timeout
            for process in processes:
                process.wait(max(0.1, until - time.monotonic()))
        finally:
            for process in processes:
                process.kill()
                process.wait()
        results = []
        for process, file in zip(processes, files):
            file.seek(0)
            results.append((process.returncode, file.read()))
        return results

    def gossip(self, network, variables, *more, timeout=90):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "gossip.json"
            results = self.run_all(
                network, variables, harness.BIN / "duet-gossip", "--elements", 100000, "--report", report, *more, timeout=timeout
            )
            for rank, (code, output) in enumerate(results):
                self.assertEqual(code, 0, f"rank {rank}\n{output}")
            return json.loads(report.read_text()), results

    def test_the_interface_of_the_bind_address_is_taken(self):
        network = self.network(2)
        report, _ = self.gossip(network, settings(network, 2))
        self.assertIsNotNone(report["meetings_per_worker"])

    def test_all_addresses_and_the_way_to_the_seed(self):
        network = self.network(2)
        report, _ = self.gossip(network, settings(network, 2, bind="0.0.0.0"))
        self.assertIsNotNone(report["meetings_per_worker"])

    def test_a_named_interface_and_ports(self):
        network = self.network(2)
        variables = settings(network, 2, DUET_TRANSPORT_SETTINGS="interface=eth1,port_range=29900-29909")
        listening = []
        workers = [restless.Worker(rank, 1000, own, network.on(rank)) for rank, own in enumerate(variables)]
        try:
            for rank, worker in enumerate(workers):
                met = worker.wait_for(lambda: worker.met({1 - rank}, 0.0), time.monotonic() + 60)
                self.assertTrue(met, worker.said())
                sockets = subprocess.run(
                    [*network.on(rank), "ss", "-Hltn"], capture_output=True, text=True, timeout=20, check=True
                ).stdout
                listening += [(rank, line.split()[3]) for line in sockets.splitlines()]
            for worker in workers:
                self.assertEqual(worker.leave(), 0, worker.said())
        finally:
            for worker in workers:
                worker.end()
        for rank, address in listening:
            self.assertTrue(address.startswith(network.address(rank) + ":"), f"rank {rank} listens on {address}")
        for rank in range(2):
            ports = {int(address.rpartition(":")[2]) for owner, address in listening if owner == rank}
            self.assertTrue(ports & set(range(29900, 29910)), f"rank {rank} listens on {ports}")

    def test_loopback_for_a_remote_peer_is_refused_with_the_interfaces_that_there_are(self):
        network = self.network(2)
        for loopback in ({0}, {1}, {0, 1}):
            with self.subTest(loopback=loopback):
                variables = settings(network, 2)
                for rank in loopback:
                    variables[rank]["DUET_TRANSPORT_SETTINGS"] = "interface=lo"
                results = self.run_all(network, variables, harness.BIN / "duet-quadratic", 100)
                said = "".join(output for _, output in results)
                self.assertTrue(all(code != 0 for code, _ in results), said)
                self.assertRegex(said, r"rank [01]: its address .* (loopback, on another|another machine, and this side)")
                self.assertRegex(said, r"eth1 \(10\.77\.0\.[12]\)")

    def test_an_interface_that_is_not_there(self):
        network = self.network(1)
        variables = settings(network, 2, DUET_TRANSPORT_SETTINGS="interface=ib0")[:1]
        ((code, output),) = self.run_all(network, variables, harness.BIN / "duet-quadratic", 100)
        self.assertNotEqual(code, 0)
        self.assertIn("lo (127.0.0.1), eth1 (10.77.0.1)", output)
        network.set_link(0, "down")
        variables = settings(network, 2, DUET_TRANSPORT_SETTINGS="interface=eth1")[:1]
        ((code, output),) = self.run_all(network, variables, harness.BIN / "duet-quadratic", 100)
        self.assertNotEqual(code, 0)
        self.assertIn("it is down", output)

    def test_a_slow_and_lossy_network(self):
        network = self.network(3)
        try:
            for host in range(3):
                # Without netem: a rate limit with so little room that it drops.
                used = network.disturb(host, "netem delay 5ms 2ms loss 1%", "tbf rate 100mbit burst 16kb latency 2ms")
        except NotPermitted as reason:
            self.skipTest(str(reason))
        report, results = self.gossip(network, settings(network, 3), "--reduction", 1e4)
        dropped = sum(network.dropped(host) for host in range(3))
        print(f"{used}: {dropped} packets dropped, agreed after {report['seconds']:.2f} s", flush=True)
        self.assertGreater(dropped, 0)
        self.assertIsNotNone(report["meetings_per_worker"])
        self.assertNotIn("broke off", "".join(output for _, output in results))

    def test_an_interface_that_goes_down_in_mid_run(self):
        network = self.network(3)
        variables = settings(
            network,
            3,
            DUET_GRAPH="complete",
            DUET_MEETING_TIMEOUT=DEADLINE,
            DUET_CONNECT_TIMEOUT=DEADLINE,
            DUET_GONE_AFTER=GONE_AFTER,
            DUET_TELEMETRY_INTERVAL=0,
        )
        run = restless.Run(3, 4 << 20, [network.on(rank) for rank in range(3)], lambda rank: variables[rank])
        broken, back = [], []
        with run:
            run.wait_until_all_meet(60)
            # Short: nobody is lost, and not when one follows the other either. TCP by itself would double its patience
            # with each try that fails, and take them for one long outage. More of them until one hit a meeting: a link
            # that goes down between two of them breaks nothing off.
            few = harness.count(3, 6)
            while len(back) < few or (not broken and len(back) < 5 * few):
                moment = time.monotonic()
                network.set_link(2, "down")
                time.sleep(DEADLINE + 1.0)
                broken += self.check_errors(run, [0, 1], 2, moment) + self.check_errors(run, [2], None, moment)
                network.set_link(2, "up")
                up = time.monotonic()
                run.wait_until_all_meet(GONE_AFTER, after=up)
                back.append(time.monotonic() - up)
                for worker in run.workers:
                    lost = [text for when, text in worker.logs if re.search(r"lost rank \d+\b", text)]
                    self.assertEqual(lost, [], f"rank {worker.rank}\n{run.said()}")
            moment = time.monotonic()
            network.set_link(2, "down")
            cut_off = run.workers[2]
            cut_off.alive = False
            run.wait_until_all_meet(DEADLINE + 1.0 + 3.0, after=moment)
            broken += self.check_errors(run, [0, 1], 2, moment)
            for worker in run.workers:
                expected = [0, 1] if worker is cut_off else [2]
                for peer in expected:
                    lost = worker.wait_for(
                        lambda: any(when > moment and re.search(rf"lost rank {peer}\b", text) for when, text in worker.logs),
                        moment + GONE_AFTER + 3.0,
                    )
                    self.assertTrue(lost, f"rank {worker.rank} has not noticed that rank {peer} is gone\n{run.said()}")
            run.leave()
            self.assertEqual(cut_off.leave(), 0, cut_off.said())
        self.assertTrue(broken, "no meeting was under way when the link went down: nothing was tested")
        for what, delays in ("broken off", broken), ("met again", back):
            print(f"{what} after " + ", ".join(f"{delay:.2f} s" for delay in delays), flush=True)

    def check_errors(self, run, ranks, peer, moment):
        """Meetings that broke off since `moment` at `ranks`, with `peer` (None: anyone): in time, and said with whom.

        How long after `moment` each did.
        """
        delays = []
        for rank in ranks:
            for other in range(len(run.workers)) if peer is None else [peer]:
                for when, text in run.workers[rank].broken_meetings(other, moment):
                    self.assertLessEqual(when - moment, DEADLINE + 1.0, text)
                    self.assertRegex(text, rf"broke off: .*rank {other}\b")
                    delays.append(when - moment)
        return delays


if __name__ == "__main__":
    unittest.main(verbosity=2)
