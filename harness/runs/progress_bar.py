"""What a person sees while trials run: a live table in a terminal or a notebook, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import CorruptRecord, TrialFolder


@dataclass(frozen=True)
class Running:
    """A trial that a slot has started."""

    spec: TrialSpec
    metric: str
    higher_is_better: bool


class Cell:
    """What `rich.live.Live` is for a terminal, for the cell of a notebook; it needs no widgets."""

    def start(self) -> None:
        from IPython.display import display

        self.handle = display(_framed(""), display_id=True)

    def update(self, shown: Any, refresh: bool) -> None:
        self.handle.update(_framed(shown))

    def stop(self) -> None:
        """Leave what was shown last."""


def _framed(shown: Any) -> Any:
    """Give something of rich that a notebook can show."""
    from rich.padding import Padding

    return Padding(shown, 0)


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return hasattr(shell, "kernel")


class Progress:
    """Counts what has ended, and shows what runs: on standard error, or in the cell of a notebook."""

    def __init__(self, run: Path, specs: Sequence[TrialSpec], done: int) -> None:
        from rich.console import Console  # 0.1 s to import, which `--help` need not pay
        from rich.live import Live

        self.run, self.specs = run, {spec.folder: spec for spec in specs}
        self.total, self.done_before = len(specs), done
        self.ended_trials: set[str] = set()
        self.started_at = time.monotonic()
        self.running: dict[int, Running | None] = {}
        self.blocked: dict[str, str] = {}
        self.failed: list[str] = []
        self.has_said_waiting = False
        notebook = in_notebook()
        quiet = {"force_jupyter": False, "force_terminal": False} if notebook else {"stderr": True}
        self.console = Console(highlight=False, **quiet)
        self.live: Live | Cell | None = Cell() if notebook else None
        if self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False)

    @property
    def done(self) -> int:
        """How many trials have ended, those of others included."""
        return self.done_before + len(self.ended_trials)

    def __enter__(self) -> "Progress":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.update(self._count() if isinstance(self.live, Cell) else "", refresh=True)
            self.live.stop()

    def note(self, line: str) -> None:
        """Print a line that stays."""
        self.console.print(line, markup=False, soft_wrap=True)

    def report(self, slot: int, report: dict[str, Any]) -> None:
        """Take in what a slot reports."""
        event, spec = report["event"], self.specs.get(report.get("trial", ""))
        if event == "started":
            self.running[slot] = Running(spec, report["metric"], report["higher_is_better"])
        elif event == "finished":
            self.ended_trials.add(spec.folder)
            self.running.pop(slot, None)
            reason = f" ({report['reason']})" if report["reason"] else ""
            status, most = report["status"], spec.max_steps
            if status == "budget_exhausted" and most is not None and report["step"] >= most:
                status = f"stopped by max_steps={most}"
            outcome = f"{status} at {report['seconds']:.2f} s{reason}"
            self.note(f"[{self.done}/{self.total}] {_title(spec)}  {outcome}")
        elif event == "found":
            self.ended_trials.add(spec.folder)
        elif event == "blocked":
            if spec.workload.name not in self.blocked:
                self.note(f"{spec.workload.name}: {report['reason']}")
            self.blocked[spec.workload.name] = report["reason"]
        elif event == "waiting":
            self._wait(slot, report["trials"])
        elif event == "corrupt":
            self.note(f"{report['reason']}: {_title(spec)} starts from its beginning")
        elif event == "interrupted":
            self.note(f"{_title(spec)} stopped, with a checkpoint")
        elif event == "failed":
            if report["reason"] not in self.failed:
                self.note(f"a slot stopped: {report['reason']}")
            self.failed.append(report["reason"])
        self.refresh()

    def _wait(self, slot: int, trials: list[str]) -> None:
        self.running[slot] = None
        held = set(trials) - self.ended_trials  # one that just ended here may be claimed for a moment more
        if held and not any(self.running.values()) and not self.has_said_waiting:
            self.has_said_waiting = True
            self.note(f"{len(held)} trials are being run by others: waiting, to take over what they leave")

    def ended(self, slot: int) -> None:
        """Take in that a slot has gone."""
        self.running.pop(slot, None)

    def refresh(self) -> None:
        """Draw the live table again."""
        if self.live:
            self.live.update(self._table(), refresh=True)

    def _table(self):
        from rich.console import Group
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for name in ("slot", "submission", "workload", "study/trial", "step", "seconds / budget", "best / target"):
            table.add_column(name)
        for slot, running in sorted(self.running.items()):
            table.add_row(str(slot), *(("waits for others",) if running is None else self._cells(running)))
        return Group(table, self._count())

    def _count(self):
        from rich.console import Group
        from rich.progress_bar import ProgressBar

        bar = ProgressBar(total=self.total, completed=self.done, width=40)
        return Group(bar, f" {self.done} of {self.total} trials{self._time_left()}")

    def _cells(self, running: Running) -> tuple[str, ...]:
        spec = running.spec
        step, seconds, best = _latest(self.run / spec.folder, running)
        return (
            spec.submission,
            spec.workload.name,
            f"{spec.study}/{spec.trial}",
            f"{step:g}",
            f"{seconds:.1f} / {spec.budget_seconds:g}",
            f"{running.metric} {best} / {spec.workload.target:g}",
        )

    def _time_left(self) -> str:
        """Estimate from the trials that have ended so far, by the budgets of those to come."""
        budgets = {name: spec.budget_seconds for name, spec in self.specs.items()}
        ended = sum(budgets[name] for name in self.ended_trials)
        if not ended:
            return ""
        before = self.done_before / self.total * sum(budgets.values())
        left = max(0.0, sum(budgets.values()) - before - ended)
        if self.done == self.total:
            return ""
        seconds = (time.monotonic() - self.started_at) / ended * left
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


def _title(spec: TrialSpec) -> str:
    return f"{spec.submission} {spec.workload.name} study {spec.study} trial {spec.trial}"


def _latest(folder: Path, running: Running) -> tuple[float, float, str]:
    """Read the last step and seconds of a trial, and its best validation metric so far."""
    try:
        evaluations = TrialFolder(folder).read_evaluations()
    except CorruptRecord:
        evaluations = []
    values = [value for e in evaluations if (value := e.validation.get(running.metric)) is not None and value == value]
    if not values:
        return 0, 0.0, "-"
    best = max(values) if running.higher_is_better else min(values)
    last = evaluations[-1]
    seconds = last.seconds if last.paced_seconds is None else last.paced_seconds  # as the budget counts
    return last.step, seconds, f"{best:.3g}"
