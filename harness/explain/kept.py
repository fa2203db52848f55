"""The weights that a trial has kept (`timetrial run keep_weights=true`), and those that it started from."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from timetrial.harness import UsageError
from timetrial.harness.explain.experiment import records_of
from timetrial.harness.planning.seeds import derive_seed
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import CorruptRecord, TrialFolder
from timetrial.harness.trial.arena import make_workload
from timetrial.harness.workload import Workload


@dataclass(frozen=True)
class KeptTrial:
    """A trial as an experiment goes on from it."""

    spec: TrialSpec
    workload: Workload
    start: nn.Module
    """The model with the weights that the trial began with."""
    end: nn.Module
    """The model as the last evaluation had it."""


def find_kept(run: str, submission: str, workload: str) -> KeptTrial:
    """Find of a run the trial of a submission on a workload that kept its weights: of the first study, the quickest.

    Raises `UsageError` where there is none.
    """
    found = [
        (spec.study, _steps_to_target(folder), spec.trial, folder, spec)
        for folder in records_of(run).trials()
        if folder.is_finished and folder.weights_file.exists()
        if ((spec := folder.read_spec()).submission, spec.workload.name) == (submission, workload)
    ]
    if not found:
        raise UsageError(
            f"{run} keeps no weights of {submission} on {workload}: run it with keep_weights=true, or name others with "
            "submission=[A,B] workload=NAME"
        )
    *_, folder, spec = min(found, key=lambda one: one[:3])
    its = make_workload(spec.workload, spec.variant_seed)
    seed = derive_seed("weights", *spec.study_key)
    start, end = (its.build_model(torch.Generator().manual_seed(seed)) for _ in range(2))
    try:
        end.load_state_dict(folder.read_weights())
    except (CorruptRecord, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{folder.weights_file} cannot be used: {reason}: run this trial again") from None
    return KeptTrial(spec, its, start, end)


def _steps_to_target(folder: TrialFolder) -> float:
    steps = folder.read_result().steps_to_target
    return math.inf if steps is None else steps
