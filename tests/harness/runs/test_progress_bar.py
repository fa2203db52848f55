"""What a run says of each trial that ends."""

from tests.harness.trial.tiny import SPEC
from timetrial.harness.records.files import Evaluation, TrialFolder
from timetrial.harness.runs import progress_bar
from timetrial.harness.runs.progress_bar import Progress


def test_seconds_over_a_budget_are_those_that_the_budget_counts(tmp_path) -> None:
    folder = TrialFolder(tmp_path)
    for paced in (None, 2.5):
        metrics = {"loss": 1.0}
        folder.append(Evaluation(10.0 + bool(paced), 5.0, metrics, metrics, None, 0, paced_seconds=paced))
        running = progress_bar.Running(SPEC, "loss", higher_is_better=False)
        assert progress_bar._latest(tmp_path, running)[1] == (paced or 5.0)


def test_a_limit_of_steps_is_not_called_a_budget(tmp_path, capsys) -> None:
    progress = Progress(tmp_path, [SPEC], 0)
    ended = {"event": "finished", "trial": SPEC.folder, "status": "budget_exhausted", "reason": None, "seconds": 2.0}
    for step, said in ((SPEC.max_steps, "stopped by max_steps=30 at 2.00 s"), (20, "budget_exhausted at 2.00 s")):
        progress.report(0, {**ended, "step": step})
        assert said in capsys.readouterr().err
