"""The plan: which trials a configuration asks for."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import SubmissionFolder, find_submission
from timetrial.harness.planning.environment import has_compiler
from timetrial.harness.planning.outside import name_of
from timetrial.harness.planning.search_space import HORIZON, Hyperparameters
from timetrial.harness.planning.spec import EXECUTIONS, TrialSpec, WorkloadSpec


def make_plan(config: Mapping[str, Any], device: str, threads: int) -> list[TrialSpec]:
    """List the trials of a configuration in the order in which they run.

    Submissions take turns within a study, a trial and a workload, so that a machine that slows down slows all of them.
    Raises `UsageError` for unknown names, a submission that does not enter the ruleset, and numbers that make no trial.
    """
    folders = [find_submission(name, config.get("space")) for name in submission_list(config["submission"])]
    check_space(config, folders)
    return plan_trials(config, {folder: folder.source_hash() for folder in folders}, device, threads)


def check_space(config: Mapping[str, Any], folders: Iterable[SubmissionFolder]) -> None:
    """Raise `UsageError` where `+space.NAME` names what no optimizer class of the list has."""
    classes = [folder for folder in folders if folder.arguments]
    known = sorted({name for folder in classes for name in folder.arguments})
    for name in sorted({*(config.get("space") or ())} - {*known}):
        if not classes:
            raise UsageError(f"+space.{name} is for optimizer classes such as torch.optim:Muon: no submission is one")
        parts = [part for part in known if part[:-1] == name.removesuffix("s")]
        near = parts or difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {' and '.join(near)}?" if near else f"choose of {', '.join(known)}"
        raise UsageError(f"+space.{name}: {' and '.join(f.name for f in classes)} has no such argument: {remedy}")


def plan_trials(
    config: Mapping[str, Any], folders: Mapping[SubmissionFolder, str], device: str, threads: int
) -> list[TrialSpec]:
    """List the trials of a configuration for submissions that were read, with the hashes of their sources."""
    workloads = select_workloads(config)
    studies, trials = (_whole_number(config["ruleset"][key], f"ruleset.{key}") for key in ("studies", "trials"))
    points = {
        (folder.name, k): draw_points(folder, config["ruleset"]["name"], k, trials)
        for folder in folders
        for k in range(studies)
    }
    make = trial_maker(config, device, threads)
    return [
        make(folder.name, folders[folder], workload, study, trial, points[folder.name, study][trial])
        for study in range(studies)
        for trial in range(trials)
        for workload in workloads
        for folder in folders
    ]


def trial_maker(config: Mapping[str, Any], device: str, threads: int) -> Callable[..., TrialSpec]:
    """Give what describes a trial under a configuration: (submission, hash of its source, workload, study, trial,
    hyperparameters) to a `TrialSpec`. Raises `UsageError` for numbers that make no trial."""
    suite, ruleset = config["suite"], config["ruleset"]
    more_budget, more_steps = (
        _positive_number(ruleset[key], f"ruleset.{key}") for key in ("budget_factor", "step_hint_factor")
    )
    shared = {
        "suite": suite["name"],
        "suite_version": _whole_number(suite["version"], "suite.version"),
        "ruleset": ruleset["name"],
        "data": data_kind(config["data"]),
        "device": device,
        "threads": threads,
        "warmup_steps": _whole_number(suite["warmup_steps"], "suite.warmup_steps", least=0),
        "execution": _execution(suite.get("execution", "eager"), device),
        "variant_seed": _whole_number(config["variant_seed"], "variant_seed", least=0, or_null=True),
        "max_steps": _whole_number(config["max_steps"], "max_steps", or_null=True),
    }

    def make(
        submission: str, source_hash: str, workload: WorkloadSpec, study: int, trial: int, values: Hyperparameters
    ) -> TrialSpec:
        return TrialSpec(
            submission=submission,
            source_hash=source_hash,
            workload=workload,
            study=study,
            trial=trial,
            hyperparameters=values,
            budget_seconds=workload.budget_seconds * more_budget,
            step_hint=_planned_steps(workload.step_hint * more_steps, values),
            **shared,
        )

    return make


def add_reference(config: Mapping[str, Any], plan: list[TrialSpec], device: str, threads: int) -> list[TrialSpec]:
    """Spread the first `reference_studies` studies of the suite's reference evenly over a plan that it is not in.

    What is run on another day, or on a machine that has changed, can be compared through it with what ran before.
    """
    reference = config["reference"]
    studies = _whole_number(config["reference_studies"], "reference_studies")
    if reference is None or reference in submission_list(config["submission"]):
        return plan
    ruleset = config["ruleset"] | {"studies": min(studies, config["ruleset"]["studies"])}
    beside = make_plan({**config, "submission": reference, "ruleset": ruleset, "space": None}, device, threads)
    places = [(i / len(trials), trial) for trials in (beside, plan) for i, trial in enumerate(trials)]
    return [trial for _, trial in sorted(places, key=lambda place: place[0])]


def _planned_steps(step_hint: float, hyperparameters: Hyperparameters) -> int:
    """Multiply the step hint of the ruleset with the trial's `horizon`, where it has one; at least one step."""
    return max(1, round(step_hint * hyperparameters.get(HORIZON, 1.0)))


def draw_points(folder: SubmissionFolder, ruleset: str, study: int, trials: int) -> list[dict[str, Any]]:
    """Give the hyperparameters of a study's trials under `ruleset`.

    Raises `UsageError` where the submission does not take part in it.
    """
    if ruleset not in folder.rulesets:
        needed = "search_space" if ruleset == "external" else "hyperparameters"
        wanted = f"it {needed.upper()}" if folder.origin.endswith(".py") else f"its submission.yaml {needed}"
        raise UsageError(
            f"submission {folder.name!r} does not enter ruleset {ruleset}: give {wanted}, "
            f"or choose ruleset={folder.rulesets[0]}"
        )
    if ruleset == "self_tuning":
        return [dict(folder.hyperparameters) for _ in range(trials)]
    if 0 < len(folder.search_space.points) < trials:
        raise UsageError(
            f"ruleset.trials is {trials}: the search space of {folder.name} is a list of "
            f"{len(folder.search_space.points)} points; give at most so many"
        )
    return folder.search_space.draw(study, trials)


def submission_list(given: Any) -> list[str]:
    """Read `submission=NAME` or `submission=[NAME,...]`; raises `UsageError` for anything else, or a name twice."""
    if given == "???":
        raise UsageError("submission= is not given: write submission=NAME or submission=[NAME,NAME]")
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"submission is {given!r}: write submission=NAME or submission=[NAME,NAME]")
    if len({name_of(name) for name in names}) < len(names):
        raise UsageError(f"submission={','.join(names)} lists a name twice: list each once")
    return list(names)


def select_workloads(config: Mapping[str, Any]) -> list[WorkloadSpec]:
    """Read the workloads of the suite that the configuration asks for, all by default."""
    suite = config["suite"]
    wanted = config["workloads"] if config["workloads"] is not None else list(suite["workloads"])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, list) or not wanted or not all(isinstance(name, str) for name in wanted):
        raise UsageError(f"workloads is {wanted!r}: write workloads=[NAME,NAME], or null for all of the suite")
    for name in wanted:
        if name not in suite["workloads"]:
            raise UsageError(
                f"unknown workload {name!r} in suite {suite['name']}: choose of {', '.join(suite['workloads'])}"
            )
    return [
        _read_workload(suite.get("file") or f"configs/suite/{suite['name']}.yaml", name, suite["workloads"][name])
        for name in suite["workloads"]
        if name in wanted
    ]


def _read_workload(suite: str, name: str, given: Mapping[str, Any]) -> WorkloadSpec:
    where = f"{suite}: workloads.{name}"
    try:
        spec = WorkloadSpec(name=name, **given)
    except TypeError as error:
        raise UsageError(
            f"{where}: {str(error).removeprefix('WorkloadSpec.__init__() ')}: see harness/planning/spec.py"
        ) from None
    for key in ("step_hint", "eval_every"):
        _whole_number(getattr(spec, key), f"{where}.{key}")
    for key in ("target", "budget_seconds"):
        _positive_number(getattr(spec, key), f"{where}.{key}")
    for key in ("test_target", "pace_seconds"):
        if getattr(spec, key) is not None:
            _positive_number(getattr(spec, key), f"{where}.{key}")
    return spec


def _positive_number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e300:
        raise UsageError(f"{where} is {value!r}: give a number above zero")
    return value


def _whole_number(value: Any, where: str, least: int = 1, or_null: bool = False) -> int | None:
    if or_null and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{where} is {value!r}: give a whole number of at least {least}{', or null' * or_null}")
    return value


def _execution(given: Any, device: str) -> str:
    if given not in EXECUTIONS:
        raise UsageError(f"suite.execution is {given!r}: choose one of {', '.join(EXECUTIONS)}")
    if given == "graphed" and device != "cuda":
        raise UsageError(f"suite.execution=graphed needs a GPU, and device is {device}: choose eager or compiled")
    if given == "compiled" and not has_compiler():
        raise UsageError("suite.execution=compiled needs g++ and the headers of Python: choose another")
    return given


def data_kind(kind: Any) -> str:
    """Return the kind of data that `data=` asks for; raise `UsageError` where there is no such kind."""
    if kind not in ("real", "synthetic"):
        raise UsageError(f"data is {kind!r}: choose real or synthetic")
    return kind
