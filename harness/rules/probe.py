"""Short trials in a temporary folder, through the real referee: what `check` and `doctor` look at."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.source import read_source
from timetrial.harness.planning.spec import NO_BUDGET, UNREACHABLE, TrialSpec
from timetrial.harness.records.files import Result, TrialFolder

if TYPE_CHECKING:
    from torch import Tensor


def run_briefly(
    specs: Sequence[TrialSpec], data_root: Path | None = None
) -> Iterator[tuple[TrialSpec, Result | UsageError]]:
    """Run trials one after the other and keep nothing; data that are missing come as the `UsageError` they are."""
    import torch  # takes a second, which `--help` need not pay

    from timetrial.harness.trial.arena import Arena
    from timetrial.harness.trial.forkserver import prepare_forkserver
    from timetrial.harness.trial.referee import run_trial

    folders = {spec.submission: find_submission(spec.submission) for spec in specs}
    prepare_forkserver(specs)
    arenas: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="timetrial-probe-") as place:
        for number, spec in enumerate(specs):
            torch.set_num_threads(spec.threads)
            key = json.dumps(asdict(spec.workload), sort_keys=True)
            try:
                arena = arenas[key] = arenas.get(key) or Arena(spec, data_root)
            except UsageError as error:
                yield spec, error
                continue
            folder = TrialFolder(Path(place) / str(number))
            folder.write_spec(spec)
            found = folders[spec.submission]
            source = read_source(spec.submission, found.source_files(), found.imports)
            yield spec, run_trial(spec, source, arena, folder)


@dataclass(frozen=True)
class Resumption:
    """How a trial ended that was interrupted, and resumed in a process of its own."""

    result: Result
    same_weights: bool
    """Whether it ended at the weights at which it ends without the interruption."""
    reproducible: bool
    """Whether it ends at the same weights each time without one; only asked where `same_weights` is false."""


def resume_briefly(spec: TrialSpec, data_root: Path | None = None) -> Resumption:
    """Interrupt a trial at its first evaluation and resume it, and compare its last weights with those of its twin.

    Neither target nor budget ends it, but its `max_steps`.
    """
    import torch

    from timetrial.harness.trial.arena import Arena
    from timetrial.harness.trial.referee import Interrupted, run_trial

    found = find_submission(spec.submission)
    source = read_source(spec.submission, found.source_files(), found.imports)
    torch.set_num_threads(spec.threads)
    with (
        tempfile.TemporaryDirectory(prefix="timetrial-probe-") as place,
        contextlib.closing(Arena(spec, data_root)) as arena,
    ):
        unreachable = replace(spec.workload, target=UNREACHABLE[arena.workload.higher_is_better])
        endless = replace(spec, workload=unreachable, budget_seconds=NO_BUDGET)

        def run(name: str, interrupted: bool = False) -> tuple[Result, Mapping[str, "Tensor"]]:
            folder = TrialFolder(Path(place) / name)
            folder.write_spec(endless)
            if interrupted:
                with contextlib.suppress(Interrupted):
                    return run_trial(endless, source, arena, folder, stop=lambda: True), {}  # it failed before
            return run_trial(endless, source, arena, folder, keep_weights=True), folder.read_weights() or {}

        result, resumed = run("resumed", interrupted=True)
        whole = run("whole")[1]
        same = _are_equal(resumed, whole)
        return Resumption(result, same, same or _are_equal(run("again")[1], whole))


def _are_equal(some: Mapping[str, "Tensor"], others: Mapping[str, "Tensor"]) -> bool:
    equal = (tensor.equal(others[name]) for name, tensor in some.items())
    return some.keys() == others.keys() and len(some) > 0 and all(equal)
