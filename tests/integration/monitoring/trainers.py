"""Runs that train for as long as a test looks at them."""

import os
import pathlib
import signal
import tempfile
import time

import harness


class Run:
    """Workers of duet-quadratic, or of another command, that go on until the end of the block."""

    def __init__(self, count, *command, **env):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "log"
        self.log = open(self.path, "w", encoding="utf-8")
        self.process = harness.start_workers(count, *(command or ("duet-quadratic", 10_000_000)), log=self.log, **env)

    def text(self):
        return self.path.read_text(encoding="utf-8")

    def wait_for(self, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if result := what():
                    return result
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"nothing within {seconds} s; the workers said:\n{self.text()[-3000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        self.folder.cleanup()
