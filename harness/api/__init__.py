"""TimeTrial: which training algorithm reaches the target first? Importing this package does not import torch.

race = timetrial.race(["adamw", my_function], suite="quickstart")
race.leaderboard
timetrial.read("results/miniature/self_tuning").plot("performance_profile")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timetrial.harness import UsageError
    from timetrial.racing import race
    from timetrial.results import Results, read

__all__ = ["Results", "UsageError", "race", "read"]

_HOMES = {
    "Results": "timetrial.results",
    "UsageError": "timetrial.harness",
    "race": "timetrial.racing",
    "read": "timetrial.results",
}
"""Where each name is defined: imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'timetrial' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
