"""The schedules against their formulas, and the optimizers that share one."""

import copy
import math
from functools import partial

import pytest
import torch

from tests.submissions.equations import Problem, loss
from tests.submissions.toy import NAMES, build, make_task, source, train
from timetrial.harness.submission import build_submission
from timetrial.harness.workload import Batch
from timetrial.submissions import schedules
from timetrial.submissions.combined import Combined
from timetrial.submissions.orthogonalized_momentum import OrthogonalizedMomentum, orthogonalize

T, W = 200, 10
CUBIC = partial(orthogonalize, coefficients=((1.5, -0.5, 0.0),) * 5)


def factors(schedule, steps=T, run=T + 50, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = schedule(optimizer, steps, **options)
    seen = []
    for _ in range(run):
        seen.append(optimizer.param_groups[0]["lr"] / 2.0)
        optimizer.step()
        scheduler.step()
    return seen


def p(t):
    return (t - W) / (T - W)


FORMULAS = {
    "constant": lambda t: 1.0,
    "step_decay": lambda t: 1.0 if p(t) < 0.5 else 0.1 if p(t) < 0.75 else 0.01 if p(t) < 0.9 else 0.001,
    "cosine_with_warmup": lambda t: (1 + math.cos(math.pi * p(t))) / 2,
    "cosine_with_restarts": lambda t: (1 + math.cos(math.pi * (3 * p(t) - math.floor(3 * p(t))))) / 2,
    "cosine_cycles": lambda t: (
        (t % 100 + 1) / W if t % 100 < W else (1 + math.cos(math.pi * (t % 100 - W) / (100 - W))) / 2
    ),
    "inverse_sqrt": lambda t: math.sqrt(W / (t + 1)),
    "linear": lambda t: (T - t) / (T - W),
    "warmup_stable_decay": lambda t: 1.0 if p(t) < 0.8 else (1 - p(t)) / 0.2,
    "cyclic": lambda t: (
        0.1 + 0.9 * abs(1 - 2 * (3 * p(t) / 0.8 - math.floor(3 * p(t) / 0.8))) if p(t) < 0.8 else (1 - p(t)) / 0.2
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_schedule_warms_up_and_follows_its_formula(name):
    seen = factors(getattr(schedules, name))
    assert seen[:W] == pytest.approx([(t + 1) / W for t in range(W)], abs=1e-12)
    assert seen[W:T] == pytest.approx([FORMULAS[name](t) for t in range(W, T)], abs=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
def test_schedule_stays_where_it_is_after_the_last_step(name):
    seen = factors(getattr(schedules, name))
    end = {"constant": 1.0, "step_decay": 1e-3, "inverse_sqrt": math.sqrt(W / (T + 1))}.get(name, 0.0)
    assert seen[T:] == pytest.approx([end] * 50, abs=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("steps", [1, 2, 5, 13])
def test_schedule_of_few_steps_begins_above_zero(name, steps):
    seen = factors(getattr(schedules, name), steps=steps, run=20)
    assert seen[0] > 0 and all(0 <= factor <= 1 for factor in seen)


def test_exponential_growth():
    optimizer = torch.optim.SGD(
        [
            {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5},
            {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.25, "grows": False},
        ]
    )
    scheduler = schedules.exponentially_growing(optimizer, 1.01)
    for t in range(30):
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5 * 1.01**t, 0.25])
        optimizer.step()
        scheduler.step()


UNUSUAL = {
    *("constant", "exponential_growing", "demon", "amos", "schedule_free_adamw", "schedule_free_prodigy", "plateau"),
}
"""Submissions whose point is another end of the schedule."""


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNUSUAL])
def test_submissions_warm_up_alike_and_end_low(name):
    """All take 5 % of the step hint to warm up, and all but those of `UNUSUAL` end at a small share of the peak."""
    _, submission = build(name, step_hint=100)
    peaks = [group["initial_lr"] for group in submission.optimizer.param_groups]
    seen = []
    for _ in range(101):
        seen.append(submission.optimizer.param_groups[0]["lr"] / peaks[0])
        submission.training_step(submission.task.next_batch())
    assert seen[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert seen[100] <= {"inverse_sqrt": 0.25, "swa": 0.5}.get(name, 1.001e-3)


class OneWeight(torch.nn.Module):
    """A weight whose gradient is zero; a batch is the loss itself."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))


def test_plateau_drops_by_ten_when_the_training_loss_stops_falling():
    model = OneWeight()
    task = make_task(model, step_hint=100, loss=lambda model, batch: batch + 0.0 * model.weight.sum())
    values = {"learning_rate": 0.5, "momentum": 0.9, "weight_decay": 0.0, "patience": 3}
    submission = build_submission(source("plateau"), model, values, task)
    rates = []
    for t in range(100):
        rates.append(submission.optimizer.param_groups[0]["lr"])
        submission.training_step(torch.tensor(1.0 - 0.01 * min(t, 59)))  # falls until step 59, from 0
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    # steps 60 to 63 are no better: one more than the patience, and so step 64 has a tenth of the rate
    assert rates[5:64] == pytest.approx([0.5] * 59) and rates[64:68] == pytest.approx([0.05] * 4)
    assert rates[68] == pytest.approx(0.005)


def combined():
    model = Problem()
    optimizer = Combined(
        OrthogonalizedMomentum([model.matrix, model.kernel], CUBIC, lr=0.1, momentum=0.9),
        torch.optim.AdamW([{"params": [model.vector], "weight_decay": 0.1}], lr=0.01),
    )
    return model, optimizer, schedules.cosine_with_warmup(optimizer, 20)


def run(model, optimizer, scheduler, batches):
    for batch in batches:
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
        scheduler.step()


def test_one_scheduler_drives_combined_optimizers():
    model, optimizer, scheduler = combined()
    run(model, optimizer, scheduler, model.batches[:5])
    factor = scheduler.get_last_lr()[0] / 0.1
    assert 0 < factor < 1
    assert [group["lr"] for inner in optimizer.optimizers for group in inner.param_groups] == pytest.approx(
        [0.1 * factor, 0.01 * factor]
    )


def test_combined_optimizers_do_what_they_do_alone():
    model, optimizer, scheduler = combined()
    run(model, optimizer, scheduler, model.batches)
    alone = Problem()
    parts = [
        OrthogonalizedMomentum([alone.matrix, alone.kernel], CUBIC, lr=0.1, momentum=0.9),
        torch.optim.AdamW([{"params": [alone.vector], "weight_decay": 0.1}], lr=0.01),
    ]
    for t, batch in enumerate(alone.batches):
        loss(alone, batch).backward()
        for part, lr in zip(parts, (0.1, 0.01), strict=True):
            for group in part.param_groups:
                group["lr"] = lr * (1.0 if t < 1 else 0.5 * (1 + math.cos(math.pi * (t - 1) / 19)))
            part.step()
            part.zero_grad()
    for expected, p in zip(alone.parameters(), model.parameters(), strict=True):
        assert torch.allclose(p, expected, atol=1e-12)


def test_combined_state_is_saved_and_restored():
    model, optimizer, scheduler = combined()
    run(model, optimizer, scheduler, model.batches[:4])
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict(), scheduler.state_dict()))
    run(model, optimizer, scheduler, model.batches[4:])
    other, other_optimizer, other_scheduler = combined()
    for part, state in zip((other, other_optimizer, other_scheduler), saved, strict=True):
        part.load_state_dict(state)
    run(other, other_optimizer, other_scheduler, other.batches[4:])
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert {id(p) for p in other_optimizer.state} == {id(p) for p in other.parameters()}


class ScaleInvariant(torch.nn.Module):
    """A network whose hidden weights matter by their direction only, in float64."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = torch.nn.Conv2d(3, 4, 3, bias=False)
        self.first = torch.nn.BatchNorm2d(4, eps=1e-60)
        self.hidden = torch.nn.Linear(4, 8, bias=False)
        self.second = torch.nn.BatchNorm1d(8, eps=1e-60)
        self.head = torch.nn.Linear(8, 5)
        self.double()

    def forward(self, x):
        x = self.first(self.convolution(x)).relu().flatten(1)
        return self.head(self.second(self.hidden(x)).relu())


def test_growing_rate_is_a_constant_rate_with_weight_decay():
    roles = {
        **{"convolution.weight": "convolution", "hidden.weight": "hidden_matrix", "head.weight": "output"},
        **{"first.weight": "norm", "second.weight": "norm"},
    }
    values = {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01}
    torch.manual_seed(1)
    batches = [Batch(torch.randn(16, 3, 3, 3).double(), torch.randint(5, (16,))) for _ in range(60)]
    models, curves = [], []
    for name in ("constant", "exponential_growing"):
        model = ScaleInvariant()
        submission = build_submission(source(name), model, values, make_task(model, step_hint=60, roles=roles))
        curve = []
        for batch in batches:
            curve.append(submission.task.loss(model, batch).item())
            train(submission, [batch])
        models.append(model)
        curves.append(curve)
    assert curves[0] == pytest.approx(curves[1], abs=1e-9)
    assert curves[0][-1] < curves[0][0]
    steady, growing = (model.convolution.weight.norm().item() for model in models)
    assert growing > 1.1 * steady


def test_growing_rate_says_when_no_growth_is_equivalent():
    with pytest.raises(ValueError, match="at most"):
        build("exponential_growing", {"learning_rate": 1.0, "momentum": 0.9, "weight_decay": 0.1})
