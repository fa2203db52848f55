"""A slot as whoever started it sees it: a process that reports, that can be stopped, and that ends with its starter."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import asdict

from timetrial.harness.runs.slot import SlotAssignment

_VARIABLES = """
    PATH HOME USER LANG LC_ALL TZ LD_LIBRARY_PATH VIRTUAL_ENV CUDA_VISIBLE_DEVICES CUDA_HOME
    XDG_CACHE_HOME TIMETRIAL_CACHE HF_HOME HF_ENDPOINT
    HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE
"""
COMMAND = "from timetrial.harness.runs.slot import main; main()"
KEPT_VARIABLES = tuple(_VARIABLES.split())
"""The environment of a slot, and so of its trainees; nothing else of a person's environment reaches them."""


class SlotProcess:
    """A running slot. Its reports go into `reports` as (number, report); the last is that it has ended."""

    def __init__(
        self, number: int, assignment: SlotAssignment, gpu: str | None, temporary: str, reports: queue.Queue
    ) -> None:
        """Start it on the GPU that `gpu` names in `CUDA_VISIBLE_DEVICES`, with `temporary` as its TMPDIR."""
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment["TMPDIR"] = temporary
        environment |= {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        self.number = number
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", COMMAND],  # -P: nothing is imported from the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            text=True,
        )
        self._send(json.dumps(asdict(assignment)))
        threading.Thread(target=self._read, args=(reports,), daemon=True).start()

    def _read(self, reports: queue.Queue) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                reports.put((self.number, json.loads(line)))
        self.process.wait()
        reports.put((self.number, {"event": "ended", "code": self.process.returncode}))

    def _send(self, line: str) -> None:
        with contextlib.suppress(OSError):  # it has gone, which its exit code says
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def stop(self) -> None:
        """Have it stop at the next evaluation point, with a checkpoint."""
        self._send("stop")

    def abandon(self) -> None:
        """Have it stop now, and its trainee: its standard input is what it lives on."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended, and kill it after `timeout` seconds; says whether that was not needed."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True
