"""What breaks on a GPU alone: the trial gets its status, and the next one runs as if nothing had been."""

from dataclasses import replace

import pytest
import torch

from tests.cheats.test_breaking import AT_STEP
from tests.harness.trial.tiny import HONEST, SPEC, metrics, run
from tests.requirements import lacks
from timetrial.harness.trial.arena import Arena

pytestmark = pytest.mark.gpu

BREAKS = {
    "crashed": ("torch.zeros(3, device='cuda')[torch.tensor([9], device='cuda')].item()", "device-side assert"),
    "out_of_memory": ("torch.ones(1 << 42, device='cuda')", "out of memory"),
}


@pytest.fixture(scope="module")
def spec():
    if not torch.cuda.is_available():
        lacks("gpu", "there is no GPU on this machine")
    return replace(SPEC, device="cuda")


@pytest.fixture(scope="module")
def arena(spec):
    arena = Arena(spec, None)
    yield arena
    arena.close()


@pytest.mark.parametrize("status", BREAKS)
def test_a_trial_that_breaks_on_the_gpu_harms_itself_alone(status, arena, spec, tmp_path) -> None:
    line, reason = BREAKS[status]
    before = run(HONEST, arena, tmp_path / "before", spec)
    assert before.status == "budget_exhausted", before.reason
    broken = run(AT_STEP.format(what=line), arena, tmp_path / "broken", spec)
    assert broken.status == status, broken.reason
    assert reason in broken.reason
    after = run(HONEST, arena, tmp_path / "after", spec)
    assert after.status == "budget_exhausted", after.reason
    losses = [metrics(tmp_path / name)[-1][1]["loss"] for name in ("before", "after")]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_time_on_the_gpu_is_on_the_clock(arena, spec, tmp_path) -> None:
    """Kernels that a submission has queued are waited for before the clock stops."""
    queue = "x = torch.randn(4096, 4096, device='cuda')\n        for _ in range(500): x = x @ x"
    quick = run(HONEST, arena, tmp_path / "quick", spec)
    slow = run(AT_STEP.format(what=queue), arena, tmp_path / "slow", spec)
    assert slow.seconds > 2 * quick.seconds
