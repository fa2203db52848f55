"""The folder of a run holds one kind of trial: what would be another is refused, with what differs."""

import shutil

import pytest

from tests.harness.trial.tiny import spec_with
from timetrial.harness import UsageError
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.runs.folder import RunFolder


def plan_of(workload):
    return make_plan(compose(["submission=sgd", "suite=quickstart", f"workloads=[{workload}]"]), "cpu", 1)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (spec_with(max_steps=40), "max_steps 30, not 40"),
        (spec_with({"target": 0.5}), "workload.target 2.0, not 0.5"),
        (spec_with(source_hash="1"), "another source of tiny, which has changed since"),
    ],
)
def test_a_trial_of_other_settings_says_which_they_are(other, said, tmp_path) -> None:
    run, spec = RunFolder(tmp_path), spec_with()
    run.trial(spec).path.mkdir(parents=True)
    run.trial(spec).write_spec(spec)
    with pytest.raises(UsageError, match=f"was made with {said}: give this run another name"):
        run.add([other])


def test_a_source_that_has_changed_is_not_run_as_the_copy_of_before(tmp_path) -> None:
    run = RunFolder(tmp_path)
    run.add(plan_of("small_gpt"))
    copy = run.source("sgd") / "submission.py"
    now = copy.read_text()
    copy.write_text(f"{now}# as it was when the run began\n")
    with pytest.raises(UsageError, match="another source of sgd, which has changed since: give this run another name"):
        run.add(plan_of("modular_division"))
    shutil.rmtree(run.path / "sgd" / "external")  # stopped before a trial was written down
    run.add(plan_of("modular_division"))
    assert copy.read_text() == now
