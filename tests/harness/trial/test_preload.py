"""What a trainee inherits from the process that it starts from."""

from tests.harness.trial.tiny import SPEC, run
from timetrial.harness.trial.arena import Arena

TOUCHES_PAGES = """
import resource
import torch

def faults_of_a_large_tensor():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def build_optimizer(model, hyperparameters, task):
    print(*(faults_of_a_large_tensor() for _ in range(20)))
    return torch.optim.SGD(model.parameters(), lr=0.1)
"""


def test_memory_that_was_freed_is_used_again_without_page_faults(tmp_path):
    arena = Arena(SPEC, None)
    result = run(TOUCHES_PAGES, arena, tmp_path / "trial")
    arena.close()
    assert result.status == "budget_exhausted", result.reason
    faults = list(map(int, (tmp_path / "trial" / "trainee.log").read_text().splitlines()[0].split()))
    assert faults[0] > 20  # 64 MiB are 16,384 pages, or 32 huge ones
    assert sum(faults[10:]) < faults[0]
