"""The folder of a run holds one kind of trial: what would be another is refused, with what differs."""

import pytest

from tests.harness.trial.tiny import spec_with
from timetrial.harness import UsageError
from timetrial.harness.runs.folder import RunFolder


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
