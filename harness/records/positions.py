"""Where in its search space a trial's hyperparameters lie."""

import math
from functools import cache
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import read_submission
from timetrial.harness.planning.search_space import Range, SearchSpace
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.run import Run


def read_search_space(run: Run, folder: TrialFolder, submission: str) -> SearchSpace | None:
    """Read the search space of a submission from the source as a trial ran it; None where it is not there."""
    try:
        file = run.source_of(folder)["submission.yaml"]
        return _space_in(file, file.read_bytes(), submission)
    except (UsageError, KeyError, OSError):
        return None


@cache
def _space_in(file: Path, content: bytes, submission: str) -> SearchSpace | None:  # `content`: a run may change its own
    return read_submission(submission, file).search_space


def positions(spec: TrialSpec, space: SearchSpace | None) -> dict[str, float]:
    """Say where each hyperparameter lies whose axis is a range: 0 at the lower end, 1 at the upper."""
    found = {}
    for name, axis in space.axes.items() if space else ():
        value = spec.hyperparameters.get(name)
        if isinstance(axis, Range) and axis.max > axis.min and isinstance(value, int | float):
            divisor = getattr(axis, "per", None)
            drawn = value * (spec.hyperparameters[divisor] if divisor else 1.0)
            low, high = axis.min, axis.max
            if axis.scaling == "log":
                if drawn <= 0:  # given by hand, and nowhere on the axis
                    continue
                low, high, drawn = math.log(low), math.log(high), math.log(drawn)
            found[name] = (drawn - low) / (high - low)
    return found
