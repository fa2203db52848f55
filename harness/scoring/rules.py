"""What makes one set of scoring rules differ from another: ours, and AlgoPerf's as its code applies them."""

from dataclasses import dataclass
from typing import Literal

from timetrial.harness import UsageError

MAX_TAU = 4.0
"""Where the performance profile ends: a submission more than 4 times slower than the fastest earns nothing."""
REFERENCE = "adamw"
"""The frozen submission that speed-ups are measured against."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How times become a score. Everything else on the way is the same for all rules."""

    name: str
    counting_trial: Literal["fastest", "first_evaluation"]
    """The trial of a study that counts: the smallest time (or steps), or the smallest evaluation index."""
    skip_unevaluated: bool
    """Whether trials without any evaluation are left out, and studies and workloads that have no other, too."""
    heldout: bool
    """Whether held-out workloads decide if a base workload counts (Dahl et al. 2023, section 4.4)."""
    clip: bool
    """Whether a time above `MAX_TAU` times the fastest is a miss, which then also empties the base of a held-out."""
    grid_points: int | None
    """Points of the trapezoid that integrates the profile; None is the exact integral."""
    ties: Literal["interval", "score"]
    """Who shares a rank with its first: those whose difference has zero in its interval, or those of equal score."""
    ignored_workloads: tuple[str, ...] = ()
    """Workloads that are in the logs and not in the score."""


DEFAULT = Rules(
    name="default",
    counting_trial="fastest",
    skip_unevaluated=False,
    heldout=False,
    clip=False,
    grid_points=None,
    ties="interval",
)
ALGOPERF_V05 = Rules(
    name="algoperf_v05",
    counting_trial="first_evaluation",
    skip_unevaluated=True,
    heldout=True,
    clip=True,
    grid_points=100,
    ties="score",
)
ALGOPERF_V06 = Rules(
    name="algoperf_v06",
    counting_trial="first_evaluation",
    skip_unevaluated=True,
    heldout=False,
    clip=True,
    grid_points=100,
    ties="score",
    ignored_workloads=("finewebedu_lm",),
)
RULES = {rules.name: rules for rules in (DEFAULT, ALGOPERF_V05, ALGOPERF_V06)}


def rules_named(name: str) -> Rules:
    """Look up rules by name; raises `UsageError` for a name that is none of `RULES`."""
    if name not in RULES:
        raise UsageError(f"--rules {name}: unknown rules; choose one of {', '.join(RULES)}")
    return RULES[name]
