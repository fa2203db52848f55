"""What a person sees while trials run: a live table in a terminal, plain lines elsewhere."""

import contextlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.spec import TrialSpec


class Progress:
    """Counts what has ended, and shows what runs. All of it goes to standard error."""

    def __init__(self, run: Path, specs: Sequence[TrialSpec], done: int, live: bool | None = None) -> None:
        from rich.console import Console  # 0.1 s to import, which `--help` need not pay
        from rich.live import Live

        self.run, self.specs = run, {spec.folder: spec for spec in specs}
        self.done, self.total = done, len(specs)
        self.started_at, self.done_before = time.monotonic(), done
        self.running: dict[int, TrialSpec] = {}
        self.blocked: dict[str, str] = {}
        self.statuses: dict[str, int] = {}
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False) if self.console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.update("", refresh=True)
            self.live.stop()

    def note(self, line: str) -> None:
        """Print a line that stays."""
        self.console.print(line, markup=False, soft_wrap=True)

    def report(self, slot: int, report: dict[str, Any]) -> None:
        """Take in what a slot reports."""
        event, spec = report["event"], self.specs.get(report.get("trial", ""))
        if event == "started":
            self.running[slot] = spec
        elif event == "finished":
            self.running.pop(slot, None)
            self.done += 1
            self.statuses[report["status"]] = self.statuses.get(report["status"], 0) + 1
            reason = f" ({report['reason']})" if report["reason"] else ""
            self.note(f"[{self.done}/{self.total}] {_title(spec)}  {report['status']} at {report['seconds']:.2f} s{reason}")
        elif event == "blocked":
            if spec.workload.name not in self.blocked:
                self.note(f"{spec.workload.name}: {report['reason']}")
            self.blocked[spec.workload.name] = report["reason"]
        elif event in ("corrupt", "failed", "interrupted"):
            self.note(f"{report.get('trial', 'slot')}: {event} {report.get('reason', '')}")
            self.running.pop(slot, None)
        self.refresh()

    def refresh(self) -> None:
        """Draw the live table again."""
        if self.live:
            self.live.update(self._table(), refresh=True)

    def _table(self):
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for name in ("slot", "submission", "workload", "study/trial", "step", "seconds / budget", "best / target"):
            table.add_column(name)
        for slot, spec in sorted(self.running.items()):
            step, seconds, best = _latest(self.run / spec.folder)
            table.add_row(
                str(slot),
                spec.submission,
                spec.workload.name,
                f"{spec.study}/{spec.trial}",
                f"{step:g}",
                f"{seconds:.1f} / {spec.budget_seconds:g}",
                f"{best} / {spec.workload.target:g}",
            )
        bar = ProgressBar(total=self.total, completed=self.done, width=40)
        return Group(table, bar, f"{self.done} of {self.total} trials{self._time_left()}")

    def _time_left(self) -> str:
        finished = self.done - self.done_before
        if not finished:
            return ""
        seconds = (time.monotonic() - self.started_at) / finished * (self.total - self.done)
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


def _title(spec: TrialSpec) -> str:
    return f"{spec.submission} {spec.workload.name} study {spec.study} trial {spec.trial}"


def _latest(folder: Path) -> tuple[float, float, str]:
    """Read step, seconds and validation metric of the last evaluation, from the end of the file alone."""
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        with open(folder / "evals.jsonl", "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            line = json.loads(file.read().split(b"\n")[-2])
        metrics = line["validation"]
        return line["step"], line["seconds"], ", ".join(f"{name} {value:.3g}" for name, value in metrics.items())
    return 0, 0.0, "-"
