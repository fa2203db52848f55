"""What one trial is: everything needed to run it, and everything that may end it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from timetrial.harness.planning.search_space import Hyperparameters

STATUSES = (
    "target_reached",
    "budget_exhausted",
    "diverged",
    "out_of_memory",
    "crashed",
    "hung",
    "disqualified",
    "interrupted",
    "missing",
)
"""How a planned trial stands; `interrupted` and `missing` have no result yet and are run again."""
UNFINISHED = ("interrupted", "missing")
INCOMPLETE = ("out_of_memory", "crashed", "disqualified", *UNFINISHED)
"""A trial that ended so says nothing about training speed: it is named, and never silently a miss."""

EXECUTIONS = ("eager", "compiled", "graphed")
"""How the training loss and its gradients may be computed: see `harness/trial/execution.py`."""

UNREACHABLE = {True: 1e9, False: 1e-9}
"""A target that no trial reaches, for metrics where higher is better and where it is not."""
NO_BUDGET = 1000.0
"""Seconds that no short trial takes. No more, since an evaluation costs a ten-thousandth of the budget at least."""


@dataclass(frozen=True)
class WorkloadSpec:
    """A workload as a suite defines it: the implementation with its sizes, and the numbers of the referee."""

    name: str
    implementation: str
    sizes: dict[str, Any]
    target: float
    budget_seconds: float
    """Training seconds after which a trial of the external ruleset has missed its target."""
    step_hint: int
    eval_every: int
    """Batches from one evaluation point to the next."""
    pace_seconds: float | None = None
    """Processor seconds of one step of the pacer on the suite's reference machine; None: the clock has no pacer."""
    test_target: float | None = None
    """The test metric that goes with the target, from calibration; far below it a trial is flagged."""
    provisional: bool = False
    """Whether target and budget still await calibration."""
    text: str | None = None
    """The text of the file that has the class, where it is no module: what is trained travels with each trial."""


@dataclass(frozen=True)
class TrialSpec:
    """One trial, fully described; its JSON is `spec.json`."""

    suite: str
    suite_version: int
    ruleset: str
    submission: str
    source_hash: str
    workload: WorkloadSpec
    study: int
    trial: int
    hyperparameters: Hyperparameters
    budget_seconds: float
    """The budget under this ruleset."""
    step_hint: int
    """The step hint that the submission sees: the ruleset's, times the `horizon` of its hyperparameters."""
    data: str
    device: str
    threads: int
    warmup_steps: int
    execution: str = "eager"
    """One of `EXECUTIONS`."""
    variant_seed: int | None = None
    max_steps: int | None = None

    @property
    def folder(self) -> str:
        """The place of this trial in its run."""
        return f"{self.submission}/{self.ruleset}/{self.workload.name}/study_{self.study}/trial_{self.trial}"

    @property
    def study_key(self) -> tuple[str, int, str, int]:
        """What the seeds of its study are derived from, the same for every submission."""
        return self.suite, self.suite_version, self.workload.name, self.study

    @property
    def protocol(self) -> str:
        """Hash what is `shared` by trials that may be compared (12 hexadecimal digits).

        The hash of the data and the versions of the libraries, known only to the trial's record, come on top.
        """
        return hashlib.sha256(json.dumps(self.shared, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def shared(self) -> dict[str, Any]:
        """What must be equal for two trials on one workload to be compared, as JSON values."""
        workload = {name: value for name, value in vars(self.workload).items() if (name, value) != ("text", None)}
        every = {**vars(self), "workload": workload}
        return {name: value for name, value in every.items() if name not in _OWN_TO_A_TRIAL}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "TrialSpec":
        """Raises `TypeError` or `KeyError` where `given` is no trial."""
        return cls(**{**given, "workload": WorkloadSpec(**given["workload"])})


_OWN_TO_A_TRIAL = ("submission", "source_hash", "study", "trial", "hyperparameters", "step_hint", "threads")
