"""Small networks of namespaces on this machine: hosts with an address each, joined by a bridge. Needs root."""

import os
import re
import shutil
import subprocess

PREFIX = 24


class NotPermitted(Exception):
    pass


def ip(*arguments):
    done = subprocess.run(["ip", *[str(part) for part in arguments]], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


class Network:
    """`hosts` namespaces called NAME0, NAME1, …; each has lo, and eth1 with an address of 10.77.0.0/24.

    Use as a context manager: whatever was made is removed, also after a failure half-way. Names carry the process id, so
    that tests that run at the same time, and leftovers of one that was killed, do not meet.
    """

    def __init__(self, hosts):
        self.name = f"duet-{os.getpid()}-"
        self.hosts = [f"{self.name}{index}" for index in range(hosts)]
        self.hub = f"{self.name}hub"

    def __enter__(self):
        self._permitted()
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    @staticmethod
    def _permitted():
        trial = f"duet-{os.getpid()}-trial"
        if not shutil.which("ip"):
            raise NotPermitted("network namespaces cannot be used here: there is no ip (Debian: iproute2)")
        try:
            ip("netns", "add", trial)
            # To go into one is more than to make one: it remounts /, which a chroot's / refuses.
            ip("-n", trial, "link", "set", "lo", "up")
        except RuntimeError as error:
            raise NotPermitted(f"network namespaces cannot be used here: {error}") from None
        finally:
            subprocess.run(["ip", "netns", "delete", trial], capture_output=True, timeout=20)

    def _build(self):
        ip("netns", "add", self.hub)
        ip("-n", self.hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.hub, "link", "set", "bridge", "up")
        for index, host in enumerate(self.hosts):
            ip("netns", "add", host)
            ip("-n", host, "link", "set", "lo", "up")
            # Both ends are made inside of namespaces: nothing ever shows in the machine's own.
            ip("-n", self.hub, "link", "add", f"port{index}", "type", "veth", "peer", "name", "eth1", "netns", host)
            ip("-n", self.hub, "link", "set", f"port{index}", "master", "bridge")
            ip("-n", self.hub, "link", "set", f"port{index}", "up")
            ip("-n", host, "address", "add", f"{self.address(index)}/{PREFIX}", "dev", "eth1")
            ip("-n", host, "link", "set", "eth1", "up")

    def _remove(self):
        for name in [*self.hosts, self.hub]:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=20)

    @staticmethod
    def address(index):
        return f"10.77.0.{index + 1}"

    def on(self, index):
        """What to put before a command to run it on that host."""
        return ["ip", "netns", "exec", self.hosts[index]]

    def set_link(self, index, state):
        ip("-n", self.hosts[index], "link", "set", "eth1", state)

    def disturb(self, index, *disciplines):
        """The first queueing discipline that this kernel has, on what that host sends, e.g. "netem delay 5ms loss 1%".

        Returns it. Throws NotPermitted when there is none of them.
        """
        reasons = []
        for discipline in disciplines:
            done = subprocess.run(
                ["tc", "-n", self.hosts[index], "qdisc", "replace", "dev", "eth1", "root", *discipline.split()],
                capture_output=True,
                text=True,
                timeout=20,
            )
            if done.returncode == 0:
                return discipline
            reasons.append(f"{discipline}: {done.stderr.strip()}")
        raise NotPermitted("; ".join(reasons))

    def dropped(self, index):
        """Packets that the discipline of disturb() threw away."""
        shown = subprocess.run(
            ["tc", "-s", "-n", self.hosts[index], "qdisc", "show", "dev", "eth1"], capture_output=True, text=True, timeout=20
        ).stdout
        return int(re.search(r"dropped (\d+)", shown).group(1))
