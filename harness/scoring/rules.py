"""The sets of scoring rules: ours, and AlgoPerf's as its code applies them."""

from dataclasses import dataclass

from timetrial.harness import UsageError

MAX_TAU = 4.0
"""Where the performance profile ends: a submission more than 4 times slower than the fastest earns nothing."""
REFERENCE = "adamw"
"""The frozen submission that speed-ups are measured against."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How times become a score: the estimators of `standings.py`, or AlgoPerf's in `algoperf.py`."""

    name: str
    algoperf: bool = False
    heldout: bool = False
    """Whether held-out workloads decide if a base workload counts (Dahl et al. 2023, section 4.4)."""
    ignored_workloads: tuple[str, ...] = ()
    """Workloads that are in the logs and not in the score."""


DEFAULT = Rules(name="default")
ALGOPERF_V05 = Rules(name="algoperf_v05", algoperf=True, heldout=True)
ALGOPERF_V06 = Rules(name="algoperf_v06", algoperf=True, ignored_workloads=("finewebedu_lm",))
RULES = {rules.name: rules for rules in (DEFAULT, ALGOPERF_V05, ALGOPERF_V06)}


def rules_named(name: str) -> Rules:
    """Look up rules by name; raises `UsageError` for a name that is none of `RULES`."""
    if name not in RULES:
        raise UsageError(f"--rules {name}: unknown rules; choose one of {', '.join(RULES)}")
    return RULES[name]
