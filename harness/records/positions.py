"""Where in its search space a trial's hyperparameters lie."""

import math
from collections.abc import Iterable

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import read_submission
from timetrial.harness.planning.search_space import Range, SearchSpace
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.run import Run

Spaces = dict[tuple[str, str], SearchSpace | None]
"""By submission and hash of its source."""


def read_search_spaces(trials: Iterable[tuple[Run, TrialFolder, TrialSpec]]) -> Spaces:
    """Read the search space of each submission that draws several trials a study, from the source as it ran."""
    found: Spaces = {}
    for run, folder, spec in trials:
        key = (spec.submission, spec.source_hash)
        if spec.trial and key not in found:
            try:
                file = run.source_of(folder)["submission.yaml"]
                found[key] = read_submission(spec.submission, file).search_space
            except (UsageError, KeyError):
                found[key] = None
    return found


def positions(spec: TrialSpec, space: SearchSpace | None) -> dict[str, float]:
    """Say where each hyperparameter lies that was drawn from a range: 0 at the lower end, 1 at the upper."""
    found = {}
    for name, axis in space.axes.items() if space else ():
        value = spec.hyperparameters.get(name)
        if isinstance(axis, Range) and axis.max > axis.min and isinstance(value, int | float):
            divisor = getattr(axis, "per", None)
            drawn = value * (spec.hyperparameters[divisor] if divisor else 1.0)
            low, high = axis.min, axis.max
            if axis.scaling == "log":
                low, high, drawn = math.log(low), math.log(high), math.log(drawn)
            found[name] = (drawn - low) / (high - low)
    return found
