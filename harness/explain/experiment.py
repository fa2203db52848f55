"""What every experiment shares: its options, and the folder with figure, numbers and paragraph that it writes."""

import dataclasses
import difflib
import importlib
import math
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.places import CLONE, RESULTS

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from timetrial.harness.records.run import Run
    from timetrial.harness.workload import DataSource

EXPERIMENTS = {
    "norms": "steepest descent in four norms, and how Muon's polynomials come close to one of them",
    "trajectories": "paths on problems of two dimensions, the noise floor of a rate, and Reddi's example against Adam",
    "memory": "where the memory of training goes: weights, gradients, optimizer state and activations",
    "learning_rate": "time and best metric against the learning rate, and how wide the band of good rates is",
    "grokking": "training and validation accuracy on modular division, with decoupled weight decay and with L2",
    "token_frequency": "the loss of frequent and of rare tokens, with SGD and with Adam",
    "adam_gap": "how far Adam is ahead of SGD on each workload, and how heavy the tails of the gradient noise are",
    "batch_size": "gradient variance, steps and examples to a target against the batch size, and the critical batch",
    "landscape": "the loss on lines and planes through minima: dropout or none, skips or none, two optimizers",
    "averaging": "averages of weights (SWA, LAWA) against their last iterate, and how far weights are from the centre",
    "dynamics": "how weights move: size, stable rank and turning of updates, and the effective rate, role by role",
    "initialisation": "activations layer by layer for seven initialisations, and which lets a deep network learn",
    "double_descent": "test error against the size of a model, with a peak where the model can just fit",
    "growing_rate": "an exponentially growing rate against a constant rate with weight decay, and a control without",
}
"""The experiments, each a module of this package, with a line each."""
FIGURE, TABLE, PARAGRAPH = "figure.svg", "data.csv", "seen.md"


@dataclass(frozen=True)
class Options:
    """What every experiment can be told; an experiment adds fields of its own."""

    seed: int = 0
    data: str = "real"
    """`real` or `synthetic`, where it trains on data that are not computed."""
    data_root: str = field(default_factory=lambda: os.environ.get("TIMETRIAL_DATA_ROOT", ""))

    @property
    def source(self) -> "DataSource":
        from timetrial.harness.workload import DataSource  # imports torch

        return DataSource(self.data, Path(self.data_root) if self.data_root else None)


@dataclass(frozen=True)
class Finding:
    """What an experiment has found."""

    table: "pandas.DataFrame"
    numbers: dict[str, float]
    """The numbers that the paragraph states, by name."""
    paragraph: str
    """What was seen, made of `numbers`."""
    figure: "Callable[[], Figure]"
    """Draws the figure; called in the project's style."""


def find_experiment(name: str) -> ModuleType:
    """Import the module of an experiment: `Options` and `run(options)`; raises `UsageError` for an unknown name."""
    if name not in EXPERIMENTS:
        close = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        known = f"did you mean {close[0]}?" if close else f"choose of {', '.join(EXPERIMENTS)}"
        raise UsageError(f"unknown experiment {name!r}: {known}")
    return importlib.import_module(f"timetrial.harness.explain.{name}")


def read_options(kind: type[Options], given: Sequence[str]) -> tuple[Options, Path | None]:
    """Read `key=value` into options of a kind, and `output=DIR`.

    A value is of the type of the option's default; several are written `[1,2]`, one plainly. Raises `UsageError` for an
    unknown key, a key given twice, and a value that is not of its type or too small.
    """
    defaults = kind()
    known = [f.name for f in dataclasses.fields(kind)]
    values: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is no option: write key=value, such as seed=1")
        if key not in (*known, "output"):
            close = difflib.get_close_matches(key, known, n=1)
            known_text = f"did you mean {close[0]}?" if close else f"choose of {', '.join(known)}, output"
            raise UsageError(f"unknown option {key!r}: {known_text}")
        if key in values:
            raise UsageError(f"{key} is given twice: give it once")
        values[key] = value if key == "output" else _read(key, value, getattr(defaults, key))
    output = values.pop("output", None)
    if values.get("data", "real") not in ("real", "synthetic"):
        raise UsageError(f"data is {values['data']!r}: choose real or synthetic")
    read = kind(**values)
    if getattr(read, "every", 0) > getattr(read, "steps", math.inf):
        raise UsageError(f"every is {read.every}, and there are {read.steps} steps: look at them more often")
    return read, None if output is None else Path(output)


def _read(key: str, text: str, default: Any) -> Any:
    if isinstance(default, tuple):
        words = [word.strip() for word in text.removeprefix("[").removesuffix("]").split(",") if word.strip()]
        if not words:
            raise UsageError(f"{key} is {text!r}: give at least one value, such as {key}={default[0]}")
        return tuple(_read(key, word, default[0]) for word in words)
    if isinstance(default, str):
        return text
    try:
        value = type(default)(text)
    except ValueError:
        value = math.nan
    least = 1 if isinstance(default, int) and default else 0
    if not math.isfinite(value) or value < least:
        raise UsageError(f"{key} is {text!r}: give a number of at least {least}, such as {key}={default}")
    return value


def pair(submissions: Sequence[str]) -> Sequence[str]:
    """Give the two submissions that an experiment compares; raises `UsageError` where there are no two."""
    if len(submissions) != 2 or submissions[0] == submissions[1]:
        raise UsageError(f"submission is {', '.join(submissions)}: name the two to compare, submission=[A,B]")
    return submissions


def records_of(run: str) -> "Run":
    """Find the run that an experiment reads: its name, or its folder; committed results from wherever one stands."""
    from timetrial.harness.entries.find import find_run

    return find_run(str(RESULTS / run.removeprefix("results/")) if CLONE and run.startswith("results/") else run)


def default_output(name: str) -> Path:
    """Give the folder of an experiment where none is named: `results/explain/NAME` in a clone."""
    return RESULTS / "explain" / name if CLONE else Path("timetrial-explain") / name


def write(name: str, options: Options, finding: Finding, folder: Path) -> list[Path]:
    """Write `figure.svg`, `data.csv` and `seen.md` into `folder`, and list them.

    The CSV begins with lines of `#`: the command, the versions, and the numbers that the paragraph states.
    """
    from timetrial.harness.report.style import plotting

    machine = describe_machine()
    versions = ", ".join(f"{library} {version}" for library, version in machine["libraries"].items() if version)
    header = [
        command(name, options),
        f"commit {machine['commit']}, Python {machine['python']}, {versions}; {machine['processor']}",
        *(f"{key} = {value:.6g}" for key, value in finding.numbers.items()),
    ]
    text = "".join(f"# {line}\n" for line in header) + finding.table.to_csv(index=False, float_format="%.6g")
    (folder / TABLE).write_text(text)
    (folder / PARAGRAPH).write_text(finding.paragraph + "\n")
    with plotting():
        finding.figure().savefig(folder / FIGURE, dpi=100, metadata={"Date": None})
    return [folder / FIGURE, folder / TABLE, folder / PARAGRAPH]


def command(name: str, options: Options) -> str:
    """Give the command that makes the finding again, without what is as by default and where the data are."""
    changed = []
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        if f.name != "data_root" and value != getattr(type(options)(), f.name):
            changed.append(f"{f.name}={_written(value)}")
    return shlex.join(["timetrial", "explain", name, *changed])


def _written(value: Any) -> str:
    several = isinstance(value, tuple) and len(value) > 1
    return f"[{','.join(map(str, value))}]" if several else str(value[0] if isinstance(value, tuple) else value)
