"""What a run says of each trial that ends."""

from tests.harness.trial.tiny import SPEC
from timetrial.harness.runs.progress_bar import Progress


def test_a_limit_of_steps_is_not_called_a_budget(tmp_path, capsys) -> None:
    progress = Progress(tmp_path, [SPEC], 0)
    ended = {"event": "finished", "trial": SPEC.folder, "status": "budget_exhausted", "reason": None, "seconds": 2.0}
    for step, said in ((SPEC.max_steps, "stopped by max_steps=30 at 2.00 s"), (20, "budget_exhausted at 2.00 s")):
        progress.report(0, {**ended, "step": step})
        assert said in capsys.readouterr().err
